import {packed, u16, u32, u64} from '#support/wire';

/** Device configuration space (virtio 1.2, 5.5.4). */
export const BalloonConfig = packed('virtio_balloon_config', {
	/** Pages that the guest is asked for. */
	pages: u32,
	/** Those that it has given; written by the driver. */
	actual: u32,
	freePageCommand: u32,
	/** What free pages hold; written by the driver. */
	poison: u32,
}).sized(16, 'virtio 1.2, 5.5.4');

/** One of the guest's statistics (5.5.6.3). */
export const StatisticEntry = packed('virtio_balloon_stat', {tag: u16, value: u64.asNumber}).sized(
	10,
	'virtio 1.2, 5.5.6.3',
);

/** Names of the statistics by their tags, from 0 on (5.5.6.4, and Linux's include/uapi/linux/virtio_balloon.h for those from 10 on). */
export const statistics = [
	'swapIn',
	'swapOut',
	'majorFaults',
	'minorFaults',
	'freeBytes',
	'totalBytes',
	'availableBytes',
	'diskCacheBytes',
	'hugePagesAllocated',
	'hugePagesFailed',
	'outOfMemoryKills',
	'allocationStalls',
	'asynchronousScans',
	'directScans',
	'asynchronousReclaims',
	'directReclaims',
] as const;
