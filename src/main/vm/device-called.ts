import type {AttachedDevice, AttachedMachine} from '#devices/machine';
import {vmError} from './errors.ts';

/** @throws VmmError VM_DEVICE_UNKNOWN */
export function deviceCalled(machine: Pick<AttachedMachine, 'devices'>, name: string): AttachedDevice {
	const found = machine.devices.find(({placed}) => placed.name === name);
	if (found !== undefined) return found;
	throw vmError('VM_DEVICE_UNKNOWN', {device: name, devices: machine.devices.map(({placed}) => placed.name)});
}
