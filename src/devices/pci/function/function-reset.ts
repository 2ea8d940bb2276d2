import {type ConfigSpace, DeviceControl, Express} from '#devices/pci/config-space';
import type {Fields, StructSchema, StructView} from '#support/shared-memory';
import type {CapabilityPlaces} from './function-layout.ts';

/** True when the guest has just asked for a reset of this function (PCI Express Base 6.0, 6.6.2). */
export function isReset({space, places}: {readonly space: ConfigSpace; readonly places: CapabilityPlaces}): boolean {
	return (space.read(places.express + Express.DEVICE_CONTROL, 2) & DeviceControl.FUNCTION_RESET) !== 0;
}

/** Gives the function its state at power-on, which also takes the request back. */
export function functionReset<T extends Fields>(
	schema: StructSchema<T>,
	state: StructView<T>,
	reset: () => void,
): void {
	schema.reset(state);
	reset();
}
