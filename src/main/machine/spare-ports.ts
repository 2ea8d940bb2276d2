import {type MissingConfig, missingKind, missingOnEveryPc, missingSerialPorts} from '#devices/chipset/missing';
import {knownPowerOffPorts, type PowerOffPortsConfig, powerOffPortsKind} from '#devices/chipset/power-off-ports';
import {serial16550Kind} from '#devices/chipset/serial-16550';
import type {DeviceInstance} from '#devices/device';
import type {ModelFinder} from '#devices/machine';

/**
 * The devices on ports that the others leave: where guests power off other machines, and what they are known to probe,
 * which is not worth counting. Whoever asks for one of these ports has it.
 * @param devices - all others; what is wrong with them is found when the machine is laid out
 */
export function describeSparePorts(devices: readonly DeviceInstance[], findModel: ModelFinder): DeviceInstance[] {
	const taken = devices
		.flatMap(({kind, config}) => findModel(kind)?.regions(config) ?? [])
		.filter(({space}) => space === 'pio');
	const isFree = (base: number, length: number) =>
		!taken.some((other) => other.base < base + length && base < other.base + other.length);
	const hasSerial = devices.some(({kind}) => kind === serial16550Kind);
	const known = hasSerial ? missingOnEveryPc : [...missingOnEveryPc, ...missingSerialPorts];
	const missing: MissingConfig = {
		ports: known.filter(({base, length}) => isFree(base, length)).map(({name, base, length}) => ({name, base, length})),
	};
	const powerOff: PowerOffPortsConfig = {ports: knownPowerOffPorts.filter(({port}) => isFree(port, 2))};
	return [
		{name: 'missing', kind: missingKind, config: missing, route: 'shared'},
		{name: 'power-off-ports', kind: powerOffPortsKind, config: powerOff, route: 'shared'},
	];
}
