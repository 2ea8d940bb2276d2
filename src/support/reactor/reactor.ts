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
}
