import type {KindHandle} from '#devices/device-type';
import {flaggedPlace} from '#devices/virtio/device';

/** Places that flags give to devices of one type begin at the other end. */
const place = 15;

/**
 * A device that the machine has of us. It is on MMIO, so that a machine has no PCI Express unless the program wants that.
 * @param type - the device's virtio type
 * @param name - by which a snapshot's device is given what is the host's
 */
export const ownDevice = (kind: string, type: number, name: string, options: Record<string, unknown>): KindHandle => ({
	kind: `${kind}-mmio`,
	name,
	options: {...options, ...flaggedPlace(type, place)},
});
