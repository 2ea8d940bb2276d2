import type {KindHandle} from '#devices/device-type';
import {flaggedPlace} from '#devices/virtio/device';

/** Devices of one type that there is room for on MMIO. */
export const placesPerType = 16;

/**
 * A device that the machine has of us. It is on MMIO, so that a machine has no PCI Express unless the program wants that, and counts from the end
 * of the places that flags give, so that a program's own devices have those.
 * @param type - the device's virtio type
 * @param name - by which a snapshot's device is given what is the host's
 * @param index - which of its type it is
 */
export const ownDevice = (kind: string, type: number, name: string, options: object, index = 0): KindHandle => ({
	kind: `${kind}-mmio`,
	name,
	options: {...options, ...flaggedPlace(type, placesPerType - 1 - index)},
});
