import type {AnyDeviceModel, DeviceInstance} from '#devices/device';
import {isFunctionModel} from '#devices/pci/function';
import {rootComplexKind} from '#devices/pci/root-complex';
import {errorTable} from '#support/errors';

const placeError = errorTable({
	PCI_PLACE_MISSING: (c: {device: string}) => ({
		message: `Device ${c.device} is a PCI Express function without a port`,
		remedy: 'Give the port that it sits in: --device PATH,port=NAME, with --pcie-root-complex and --pcie-root-port',
	}),
	PCI_PLACE_UNKNOWN: (c: {device: string; on: string}) => ({
		message: `Device ${c.device} is to sit on ${c.on}, which is no PCI Express port of this machine`,
		remedy: 'Name a port of --pcie-root-port, or one of --pcie-switch: NAME-downstream-0',
	}),
	PCI_PLACE_TAKEN: (c: {device: string; other: string; on: string}) => ({
		message: `Devices ${c.device} and ${c.other} have the same place on ${c.on}`,
		remedy: 'Give each a port of its own, or a number of its own: function=1 to 7',
	}),
	PCI_FUNCTION_0_MISSING: (c: {device: string; on: string}) => ({
		message: `Device ${c.device} is a further function of a slot on ${c.on} that has no function 0, so that no guest would find it`,
		remedy: 'Give one of the functions the number 0: leave out function=',
	}),
	PCI_NOT_A_FUNCTION: (c: {device: string}) => ({
		message: `Device ${c.device} has a port, but it is no PCI Express function`,
		remedy: 'Leave out port=, or let the model attach to "pci"',
	}),
	PCI_ENDPOINT_HAS_NO_BUS: (c: {device: string; on: string}) => ({
		message: `Device ${c.device} is to sit on ${c.on}, which is a device and no port`,
	}),
});

/** A device and its model. */
export interface DescribedDevice {
	readonly instance: DeviceInstance;
	readonly model: AnyDeviceModel;
}

/**
 * Checks that all functions have a place of their own in the machine.
 * @throws VmmError with a `PCI_` code
 */
export function checkPlaces(devices: readonly DescribedDevice[]): void {
	const taken = new Map<string, string>();
	for (const {instance, model} of devices) {
		const {name, place} = instance;
		if (isFunctionModel(model) !== (place !== undefined))
			throw placeError(place === undefined ? 'PCI_PLACE_MISSING' : 'PCI_NOT_A_FUNCTION', {device: name});
		if (place === undefined) continue;
		const {on, devfn} = place;
		const above = devices.find((other) => other.instance.name === on);
		if (above === undefined || !leadsToBus(above)) {
			const code = above?.instance.place === undefined ? 'PCI_PLACE_UNKNOWN' : 'PCI_ENDPOINT_HAS_NO_BUS';
			throw placeError(code, {device: name, on});
		}
		const key = `${on} ${devfn}`;
		const other = taken.get(key);
		if (other !== undefined) throw placeError('PCI_PLACE_TAKEN', {device: name, other, on});
		taken.set(key, name);
	}
	for (const {instance} of devices) {
		const {name, place} = instance;
		if (place === undefined || taken.has(`${place.on} ${place.devfn & ~7}`)) continue;
		throw placeError('PCI_FUNCTION_0_MISSING', {device: name, on: place.on});
	}
}

function leadsToBus({instance, model}: DescribedDevice): boolean {
	if (instance.kind === rootComplexKind) return true;
	return isFunctionModel(model) && model.design(instance.config).kind !== 'endpoint';
}

/** Inputs of the I/O APIC behind the ISA interrupts, where INTA to INTD of the root buses lead in turn. */
const [firstInput, inputCount] = [16, 4];

/** The input that pin `pin` (0 is INTA) of device `device` on a root bus leads to. */
export const rootInput = (device: number, pin: number): number => firstInput + ((device + pin) % inputCount);

/**
 * The input that a function's INTA leads to: each bridge on the way passes a pin on as the one that is as many further as the
 * device's number (PCI-to-PCI Bridge 1.2, 9.1).
 */
export function intxInput(instance: DeviceInstance, instances: readonly DeviceInstance[]): number {
	let here: DeviceInstance | undefined = instance;
	let numbers = 0;
	// A loop of places would lead nowhere; each is passed once.
	for (let step = 0; here?.place !== undefined && step < instances.length; step++) {
		const {on, devfn}: NonNullable<DeviceInstance['place']> = here.place;
		numbers += devfn >> 3;
		here = instances.find(({name}) => name === on);
	}
	return rootInput(numbers, 0);
}
