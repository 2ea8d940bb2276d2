import type {DiskPolicy} from '#devices/storage/backend';
import type {DiskSource} from '#devices/storage/source';

/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioBlkKind = 'virtio-blk';

/** Type of the device (virtio 1.2, 5). */
export const virtioBlkId = 2;

export interface VirtioBlkConfig {
	readonly disk: DiskSource;
	/** 1 to 16. */
	readonly queues: number;
	/** Threads that serve them: 1 to 8, and no more than there are queues. */
	readonly workers: number;
	/** Requests to write fail. */
	readonly readOnly: boolean;
	/** Its rings may be packed, where the driver knows that format. */
	readonly packed: boolean;
	/** Requests of a queue end in the order in which they were made available, where the driver wants that. */
	readonly inOrder?: boolean;
	/** Limits of the disk, and what follows its errors. */
	readonly policy?: DiskPolicy;
	/** Serial number that the guest sees: at most 20 characters. */
	readonly id: string;
}
