import type {DeviceCommand} from '#devices/device';
import {type ConfigSpace, DeviceControl, Express} from '#devices/pci/config-space';
import type {CapabilityPlaces} from './function-layout.ts';

/** Gives a function its state at power-on while the guest runs: the bus that it sits on is reset. */
export const powerOnState = {kind: 'pci-power-on-state'} as const satisfies DeviceCommand;

/** True when the guest has just asked for a reset of this function (PCI Express Base 6.0, 6.6.2). */
export function isReset({space, places}: {readonly space: ConfigSpace; readonly places: CapabilityPlaces}): boolean {
	return (space.read(places.express + Express.DEVICE_CONTROL, 2) & DeviceControl.FUNCTION_RESET) !== 0;
}
