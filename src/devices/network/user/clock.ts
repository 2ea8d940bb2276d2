import type {Reactor, Timer} from '#support/reactor';

/** What the network has of the thread that it is on: time, turns, and the thread's wait for descriptors. */
export interface Clock {
	/** Milliseconds since some moment; never goes back. */
	now(): number;
	/** Calls `expired` once, at least so many milliseconds from now. */
	after(delayMs: number, expired: () => void): Timer;
	/** Calls `action` before the thread waits. */
	defer(action: () => void): void;
	/**
	 * Something of Node's was begun or changed: a socket, a server, a write. Node's loop hears of what it is to wait for when it has a turn, and a
	 * thread that is its reactor's gives it none without being asked.
	 */
	began(): void;
	/** See `Reactor.watch`. */
	readonly watch: Reactor['watch'];
}

/** The clock of a device worker's thread. */
export const reactorClock = (reactor: Reactor): Clock => ({
	now: () => performance.now(),
	after: (delayMs, expired) => reactor.after(delayMs * 1e6, expired),
	defer: (action) => reactor.defer(action),
	began: () => reactor.turnNode(),
	watch: (fd, interest, ready) => reactor.watch(fd, interest, ready),
});
