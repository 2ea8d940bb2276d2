import type {GuestMemory} from '#devices/guest-memory';
import type {Chain} from './chain.ts';

/** Place that the driver has given a queue. */
export interface QueuePlace {
	readonly size: number;
	/** Descriptor table, available ring and used ring; of a packed queue its ring and what driver and device say of events. */
	readonly descriptors: number;
	readonly driver: number;
	readonly device: number;
}

/** Progress of a queue, 16 bits each: an index of a split queue, a position in two laps of a packed one. */
export interface QueueProgress {
	/** What the device takes next. */
	readonly available: number;
	/** What the device fills next. */
	readonly used: number;
}

/** Faults of a driver, which no driver may have. A queue that is broken does nothing until the device is reset. */
export const queueFaults = {
	none: 0,
	place: 1,
	availableIndex: 2,
	head: 3,
	descriptor: 4,
	buffer: 5,
	next: 6,
	loop: 7,
	indirect: 8,
} as const;
export type QueueFault = Exclude<keyof typeof queueFaults, 'none'>;

/** Parts of a {@link Ring}. */
export interface RingParts {
	readonly memory: GuestMemory;
	readonly place: QueuePlace;
	/** Progress from which it goes on. */
	readonly progress: QueueProgress;
	/** Negotiated features: VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC. */
	readonly eventIndex: boolean;
	readonly indirect: boolean;
}

/** Memory that driver and device share for a queue, in one of the two formats. All that the driver writes is read once and then checked. */
export interface Ring {
	/** Its own, since a reset gives registers to the next queue while this one still completes. */
	readonly progress: QueueProgress;
	/** True when its memory can be accessed, which is looked up anew where memory has changed. Before any other call. */
	map(): boolean;
	/** Takes the next chain that the driver has made available. */
	take(chain: Chain): 'taken' | 'nothing' | QueueFault;
	/** Gives back the chain that was taken last, as if it had not been. @returns false for any other */
	putBack(chain: Chain): boolean;
	/**
	 * Takes a chain again that was taken before the queue was started anew and is not done. Only where chains stay in place until they are
	 * done: not of a packed ring.
	 */
	retake?(chain: Chain, head: number): 'taken' | QueueFault;
	/**
	 * Gives a chain that is done to the driver.
	 * @param isShown - false where the driver is to see it with the next one, or by {@link show}, and not before
	 */
	use(chain: Chain, isShown: boolean): void;
	/** Has the driver see all that it was given. */
	show(): void;
	/** True where the driver wants to be told of what has been used since it was asked last. */
	wantsInterrupt(): boolean;
}

/** Entries of an indirect table that are read at most. */
export const mostIndirect = 1024;

/**
 * True when an event that the other side waits for lies between what it was told of and now (virtio 1.2, 2.7.7.2).
 * @param told - undefined when that is not known
 * @param limit - positions count modulo this
 */
export function isPassed(event: number, now: number, told: number | undefined, limit: number): boolean {
	const since = (from: number) => (now - from + 2 * limit) % limit;
	return told === undefined || since(event + 1) < since(told);
}
