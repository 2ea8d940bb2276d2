import type {UnitConfig} from '#devices/storage/scsi';

/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioScsiKind = 'virtio-scsi';

/** Type of the device (virtio 1.2, 5). */
export const virtioScsiId = 8;

/** A controller with disks and drives for discs. */
export interface VirtioScsiConfig {
	readonly units: readonly UnitConfig[];
	/** Queues for requests: 1 to 16. */
	readonly queues: number;
	/** Threads that serve them: 1 to 8, and no more than there are queues. */
	readonly workers: number;
	/** Its rings may be packed, where the driver knows that format. */
	readonly packed: boolean;
	/** Ids of its units follow from it: at most 20 characters. */
	readonly serial: string;
}

export const mostRequestQueues = 16;
