import {close, drainEventfd, Epoll, EpollSet, eventfd, eventLoopFd, gettid, signalEventfd} from '#support/ffi';
import {reactorError} from './errors.ts';
import type {Reactor, Readiness, Timer, Watch} from './reactor.ts';
import {ReactorState, type ReactorStateView} from './reactor-state.ts';

/** Work that is found by looking, not by a descriptor: mailboxes in shared memory. */
export interface Polled {
	/** Serves what is there; true when there was something. */
	poll(): boolean;
	/** The reactor is about to sleep (or awake again): posters must signal its wake descriptor while it sleeps. */
	sleeping(asleep: boolean): void;
}

export interface ReactorOptions {
	/** How long to go on looking after the last work before sleeping, in nanoseconds. 0 sleeps at once. */
	readonly pollNs?: number;
	readonly polled?: Polled;
	/** Eventfd to use as {@link EpollReactor.wakeFd}, when others must know it before; stays the caller's to close. */
	readonly wakeFd?: number;
	/** Where other threads see what this one does. */
	readonly state?: ReactorStateView;
}

interface Entry {
	readonly fd: number;
	readonly ready: (state: Readiness) => void;
}

interface PendingTimer {
	readonly dueNs: number;
	readonly expired: () => void;
}

/** How often posted work is looked for between two looks at descriptors and timers, while polling. */
const looksPerWait = 32;

/** Tokens of the two descriptors that every reactor waits for; those of watches follow. */
const [wakeToken, loopToken] = [0, 1];

const now = () => Number(process.hrtime.bigint());

/**
 * {@link Reactor} over epoll(7), with adaptive polling before each sleep. Runs as its thread's main loop, and has Node's own take
 * a turn whenever that has something to do: a message for the thread, the end of an operation of `node:fs`.
 */
export class EpollReactor implements Reactor {
	/** Signal this eventfd from any thread to end the current wait. */
	readonly wakeFd: number;
	readonly state: ReactorStateView;

	readonly #epoll = new EpollSet();
	readonly #entries = new Map<number, Entry>();
	readonly #timers = new Set<PendingTimer>();
	readonly #scratch = new Uint8Array(8);
	readonly #polled: Polled | undefined;
	readonly #ownsWakeFd: boolean;
	#deferred: (() => void)[] = [];
	#nextToken = loopToken + 1;
	#loopHasWork = false;
	#closed = false;

	constructor(options: ReactorOptions = {}) {
		this.#ownsWakeFd = options.wakeFd === undefined;
		this.wakeFd = options.wakeFd ?? eventfd();
		this.state = options.state ?? ReactorState.on(new SharedArrayBuffer(ReactorState.byteLength));
		this.state.pollNs = options.pollNs ?? 0;
		this.#polled = options.polled;
		this.#epoll.control(Epoll.ADD, this.wakeFd, Epoll.IN, wakeToken);
		this.#epoll.control(Epoll.ADD, eventLoopFd(), Epoll.IN, loopToken);
	}

	watch(
		fd: number,
		interest: {readonly readable: boolean; readonly writable: boolean},
		ready: (state: Readiness) => void,
	): Watch {
		const token = this.#nextToken++;
		const mask = (readable: boolean, writable: boolean) => (readable ? Epoll.IN : 0) | (writable ? Epoll.OUT : 0);
		const added = this.#epoll.control(Epoll.ADD, fd, mask(interest.readable, interest.writable), token);
		if (added < 0) throw reactorError('DESCRIPTOR_UNWATCHABLE', {fd, errno: added});
		this.#entries.set(token, {fd, ready});
		return {
			interest: (readable, writable) => {
				this.#epoll.control(Epoll.MOD, fd, mask(readable, writable), token);
			},
			close: () => {
				if (this.#entries.delete(token)) this.#epoll.control(Epoll.DEL, fd, 0, token);
			},
		};
	}

	after(delayNs: number, expired: () => void): Timer {
		const timer = {dueNs: now() + delayNs, expired};
		this.#timers.add(timer);
		return {cancel: () => void this.#timers.delete(timer)};
	}

	defer(action: () => void): void {
		this.#deferred.push(action);
	}

	/** Runs until {@link close}. */
	async run(): Promise<void> {
		const {state} = this;
		state.tid = gettid();
		let idleSince = now();
		// The very first turn may be the one that does not come back.
		state.turnNs = idleSince;
		while (!this.#closed) {
			state.turns++;
			if (this.#runDue()) idleSince = now();
			await null;
			if (this.#closed) break;
			const time = now();
			state.turnNs = time;
			const busy = time - idleSince < state.pollNs;
			// Descriptors have their turn also while there is always something posted.
			if (busy && this.#looks()) idleSince = time;
			if (this.#wait(busy ? 0 : this.#sleepNs())) idleSince = now();
			if (this.#loopHasWork) await this.#turnLoop();
		}
		close(this.#epoll.fd);
		if (this.#ownsWakeFd) close(this.wakeFd);
	}

	/** Ends {@link run} after the current turn. */
	close(): void {
		this.#closed = true;
		signalEventfd(this.wakeFd);
	}

	/** Looks for posted work alone, which costs no system call, and tells whether there was any. */
	#looks(): boolean {
		for (let look = 0; look < looksPerWait; look++) {
			if (this.#polled?.poll() !== true) continue;
			this.state.polledWork++;
			return true;
		}
		return false;
	}

	/** Serves polled work, deferred actions and expired timers; true when there were any. */
	#runDue(): boolean {
		let worked = this.#polled?.poll() ?? false;
		if (worked) this.state.polledWork++;
		const deferred = this.#deferred;
		if (deferred.length > 0) {
			this.#deferred = [];
			for (const action of deferred) action();
			worked = true;
		}
		if (this.#timers.size === 0) return worked;
		const time = now();
		const expired = [...this.#timers].filter(({dueNs}) => dueNs <= time).sort((a, b) => a.dueNs - b.dueNs);
		for (const timer of expired) {
			if (!this.#timers.delete(timer)) continue;
			timer.expired();
			worked = true;
		}
		return worked;
	}

	/** Waits for descriptors; true when any was ready. */
	#wait(timeoutNs: number): boolean {
		const sleeps = timeoutNs !== 0;
		if (sleeps) {
			this.#polled?.sleeping(true);
			// A post between the last look and the flag would not signal: look once more.
			if (this.#polled?.poll()) timeoutNs = 0;
			else this.state.sleeps++;
		}
		this.state.descriptors = this.#entries.size;
		this.state.timers = this.#timers.size;
		this.state.waiting = 1;
		const count = this.#epoll.wait(timeoutNs);
		this.state.waiting = 0;
		if (sleeps) this.#polled?.sleeping(false);
		for (let i = 0; i < count; i++) this.#dispatch(this.#epoll.readyToken(i), this.#epoll.readyEvents(i));
		return count > 0;
	}

	#dispatch(token: number, events: number): void {
		this.state.events++;
		if (token === wakeToken) {
			drainEventfd(this.wakeFd, this.#scratch);
			return;
		}
		if (token === loopToken) {
			this.#loopHasWork = true;
			return;
		}
		this.#entries.get(token)?.ready({
			readable: (events & Epoll.IN) !== 0,
			writable: (events & Epoll.OUT) !== 0,
			failed: (events & (Epoll.ERR | Epoll.HUP)) !== 0,
		});
	}

	#sleepNs(): number {
		if (this.#deferred.length > 0) return 0;
		let due = Number.POSITIVE_INFINITY;
		for (const timer of this.#timers) due = Math.min(due, timer.dueNs);
		return Math.max(0, due - now());
	}

	/** One round of Node's loop. It looks at its descriptors between two immediates; what it misses, the next wait reports again. */
	async #turnLoop(): Promise<void> {
		this.#loopHasWork = false;
		// What is due comes first: a round of Node's takes longer than looking.
		this.#runDue();
		await new Promise((resolve) => setImmediate(resolve));
	}
}
