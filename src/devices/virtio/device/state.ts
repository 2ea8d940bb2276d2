import {array, bytes, type Fields, type FieldsView, u32} from '#support/wire';
import {QueueState} from './queue-registers.ts';

/** Fields that every virtio device has, on any transport. Their names cannot be a device's. */
export const virtioFields = (queues: number, configBytes: number) => ({
	'virtio.status': u32,
	'virtio.deviceSelect': u32,
	'virtio.driverSelect': u32,
	/** Features that the driver accepts: 0–31 and 32–63. */
	'virtio.features': array(u32, 2),
	'virtio.queueSelect': u32,
	'virtio.configVector': u32,
	'virtio.generation': u32,
	'virtio.interrupts': u32,
	/** The status before a reset that waits for the back; else 0. */
	'virtio.resetting': u32,
	'virtio.queues': array(QueueState, queues),
	/** Device configuration space. */
	'virtio.config': bytes(Math.max(1, configBytes)),
});

export type VirtioFields = ReturnType<typeof virtioFields>;
export type VirtioState = FieldsView<VirtioFields>;
/** Fields of a device on a transport. */
export type WithVirtio<T extends Fields> = T & VirtioFields;
