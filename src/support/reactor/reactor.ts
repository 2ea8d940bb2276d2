/** Readiness, as epoll(7) names it. */
export interface Readiness {
	readonly readable: boolean;
	readonly writable: boolean;
	/** Error or hang-up: the next read or write says which. */
	readonly failed: boolean;
}

/** A registration that can be changed and ended. */
export interface Watch {
	/** Changes what is waited for; both false keeps the descriptor registered and silent. */
	interest(readable: boolean, writable: boolean): void;
	/** Ends the registration. Does not close the descriptor. */
	close(): void;
}

/** A one-shot timer. */
export interface Timer {
	cancel(): void;
}

/**
 * A thread's single wait: descriptors, timers and deferred work. The callbacks of `node:fs` come between its turns; they hand on
 * what they have to do by {@link defer}.
 */
export interface Reactor {
	/**
	 * Level-triggered. The descriptor should be non-blocking.
	 * @throws VmmError DESCRIPTOR_UNWATCHABLE for one that cannot be waited for, as a regular file
	 */
	watch(
		fd: number,
		interest: {readonly readable: boolean; readonly writable: boolean},
		ready: (state: Readiness) => void,
	): Watch;
	/** Calls `expired` once, `delayNs` from now or a little later. */
	after(delayNs: number, expired: () => void): Timer;
	/** Calls `action` before the next wait. */
	defer(action: () => void): void;
	/**
	 * Gives Node's loop a turn before the next wait: for whoever has begun something of `node:net` or `node:dgram`. That loop enters what it waits for
	 * in its own turns alone, and one that has not been entered wakes nobody.
	 */
	turnNode(): void;
}

/** Work that is found by looking, not by a descriptor: what other threads leave in shared memory. */
export interface Polled {
	/** Signalled while the reactor sleeps, to have it look. Its owner's to close. */
	readonly wakeFd: number;
	/** Serves what is there, and asks after each whether others are to have their turn. True when there was something. */
	poll(isOver: () => boolean): boolean;
	/** The reactor is about to sleep (or awake again): posters must signal the descriptor while it sleeps. */
	sleeping(asleep: boolean): void;
}

/** A reactor that is its thread's main loop. */
export interface RunningReactor extends Reactor {
	/** Looks for work in every turn, after the parts that came before. */
	look(part: Polled): {close(): void};
	/** Runs until {@link close}. */
	run(): Promise<void>;
	/** Ends {@link run} after the current turn. */
	close(): void;
}
