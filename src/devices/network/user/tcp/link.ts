import type {Budget} from '../budget.ts';
import type {Clock} from '../clock.ts';
import type {Outgoing, OutgoingData} from './transmit.ts';

/** What a connection has of the guest that it is with. */
export interface TcpLink {
	readonly clock: Clock;
	readonly budget: Budget;
	/** Most bytes of a packet for the guest. */
	readonly mtu: number;
	/** The guest stands still: it cannot be late. */
	readonly isStopped: boolean;
	/** Sends a segment. @returns false where the guest has no room for it; it is dropped then */
	transmit(segment: Outgoing, data?: OutgoingData): boolean;
	/** Has {@link Flushed.flush} called when the guest has room again. */
	awaitRoom(waiting: Flushed): void;
	/** Has {@link Flushed.flush} called when the frames that are coming in have come in. */
	awaitBatch(waiting: Flushed): void;
	/** Nothing of it is called any more. */
	forget(gone: Flushed): void;
	/** Segments that were sent once more. */
	countRepeated(): void;
}

/** Somebody who has something to send. */
export interface Flushed {
	/** Sends what can be sent. */
	flush(): void;
}
