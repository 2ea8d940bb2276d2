import type {Chunk} from './chunks.ts';

/** What a stream of the host's tells the connection that it is the other side of. */
export interface HostEvents {
	/**
	 * Something has come from the host. It is kept, and stays as it is.
	 * @param chunk - holds it, and is given back by whoever needs it no more
	 */
	data(bytes: Uint8Array, chunk?: Chunk): void;
	/** All that came at once has been told. */
	batch(): void;
	/** Nothing more comes. */
	end(): void;
	/** The host has taken something that it had no room for before. */
	taken(): void;
	/** It has gone without a regular end of both directions. */
	failed(): void;
}

/** Pieces that wait for the host: as many as 4 MiB of usual segments. A guest that sends less in each sends it again. */
export const mostWrites = 4096;

/** The host's side of a connection: a socket, or somebody in this process. Both directions end by themselves. */
export interface HostStream {
	/** Begins to tell. */
	start(events: HostEvents): void;
	/** Bytes that the host has not taken. */
	readonly waiting: number;
	/** It takes more than waits already. */
	readonly takesMore: boolean;
	readonly isPaused: boolean;
	/** Writes bytes, which are the caller's again when it returns. Small ones may wait for {@link flush}. */
	write(bytes: Uint8Array): void;
	/** Has the host given what was written. */
	flush(): void;
	/** Ends the direction to the host, behind what waits. */
	end(): void;
	pause(): void;
	resume(): void;
	/** Ends both at once, so that the host knows that it was not the regular end. Nothing is told any more. */
	abort(): void;
}
