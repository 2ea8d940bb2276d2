/**
 * The host side of a serial port. It never waits and never throws after it was made; its owner is told when to look
 * again ({@link StreamOwner}) and pulls and pushes what it can, which is also the back-pressure:
 * what is not read stays with the sender.
 */
export interface SerialBackend {
	/** Somebody is there: bytes written reach them. While false, {@link write} takes nothing. */
	readonly connected: boolean;
	/** The host has every byte that was taken. */
	readonly flushed: boolean;
	/**
	 * Passes bytes on. Returns how many were taken; 0 when there is no room now or the other side just went away (then
	 * {@link connected} is false). What the host refuses of those taken, the owner is told.
	 */
	write(source: Uint8Array): number;
	/** Fills `target` with bytes that have arrived; returns how many, 0 when there are none now. */
	read(target: Uint8Array): number;
	/**
	 * Says what the owner wants to be called for: bytes to read, room to write or the last byte with
	 * the host. A client that comes is reported always,
	 * one that goes when it is read from or written to.
	 */
	interest(readable: boolean, writable: boolean): void;
	/** Takes input from whoever owns the terminal; returns how much fitted. 0 for kinds without such input. */
	feed(source: Uint8Array): number;
	/** Resolves when it has been opened, where that takes its time. @throws VmmError `SERIAL_…` when it cannot be */
	readonly ready?: Promise<void>;
	/** What is under way with the host's files, for people. */
	readonly inFlight?: string | undefined;
	/** Closes what the back end opened. Resolves when that is done, where it takes its time. */
	dispose(): void | Promise<void>;
}
