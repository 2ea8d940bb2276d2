import {errorTable} from '#support/errors';
import {
	close,
	drainEventfd,
	Epoll,
	EpollSet,
	errnoName,
	eventfd,
	eventLoopFd,
	gettid,
	signalEventfd,
} from '#support/ffi';
import {FairTurn} from './fair-turn.ts';
import {PollWindow} from './poll-window.ts';
import type {Polled, Readiness, RunningReactor, Timer, Watch} from './reactor.ts';
import {ReactorState, type ReactorStateView} from './reactor-state.ts';
import {TimerHeap} from './timer-heap.ts';

/** `errno` is negated, as the FFI returns it. */
const reactorError = errorTable({
	DESCRIPTOR_UNWATCHABLE: ({fd, errno}: {fd: number; errno: number}) => ({
		message: `Descriptor ${fd} cannot be waited for: ${errnoName(errno)}`,
		remedy: 'A regular file is always ready (EPERM): read and write it by the callbacks of node:fs',
	}),
});

export interface ReactorOptions {
	/** Most time to go on looking after the last work before sleeping, in nanoseconds: see {@link PollWindow}. 0 sleeps at once. */
	readonly pollNs?: number;
	/** State in which other threads see what this one does. */
	readonly state?: ReactorStateView;
}

interface Entry {
	readonly fd: number;
	readonly ready: (state: Readiness) => void;
}

/** Number of parts looked at between two looks at descriptors and timers, while polling. */
const looksPerWait = 32;

/** Deferred actions that defer others have these in the same turn: calls of a disk that end at once, then what the driver is told of them. */
const deferredRounds = 2;

/** A part with its share of the thread. */
interface ServedPart {
	readonly part: Polled;
	readonly turn: FairTurn;
}

/** Tokens of the two descriptors that every reactor waits for; those of watches follow. */
const [endToken, loopToken] = [0, 1];

/** Resolves when no promise has anything to go on with: while the thread sleeps none does, however short its way is. */
const settled = () => new Promise<void>((resolve) => process.nextTick(resolve));

/**
 * How long after a round of Node's loop another one is had, if nothing else asks for it: this thread goes on from the middle of a round, before what was closed
 * in it is told, and before what was begun in it is waited for.
 */
const againNs = 1e6;

/** Events that Node's loop has had on this thread. */
const loopEvents = (): number => performance.nodeTiming.uvMetricsInfo.events;

const now = () => Number(process.hrtime.bigint());

/**
 * {@link Reactor} over epoll(7), with adaptive polling before each sleep. Runs as its thread's main loop, and has Node's own take
 * a turn whenever that has something to do: a message for the thread, the end of an operation of `node:fs`.
 */
export class EpollReactor implements RunningReactor {
	readonly state: ReactorStateView;

	readonly #epoll = new EpollSet();
	readonly #entries = new Map<number, Entry>();
	readonly #timers = new TimerHeap();
	readonly #window = new PollWindow();
	readonly #scratch = new Uint8Array(8);
	readonly #endFd = eventfd();
	/** Made anew by each change, which may come from one that is being looked at. */
	#parts: readonly ServedPart[] = [];
	#deferred: (() => void)[] = [];
	#nextToken = loopToken + 1;
	#loopHasWork = false;
	/** Node's loop is to have another round soon. */
	#looksAgain = false;
	#closed = false;

	constructor(options: ReactorOptions = {}) {
		this.state = options.state ?? ReactorState.on(new SharedArrayBuffer(ReactorState.byteLength));
		this.state.pollNs = options.pollNs ?? 0;
		this.#epoll.control(Epoll.ADD, this.#endFd, Epoll.IN, endToken);
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
		return this.#timers.arm(now() + Math.max(0, delayNs), expired);
	}

	defer(action: () => void): void {
		this.#deferred.push(action);
	}

	turnNode(): void {
		this.#loopHasWork = true;
	}

	look(part: Polled): {close(): void} {
		const {wakeFd} = part;
		const watch = this.watch(wakeFd, {readable: true, writable: false}, () => drainEventfd(wakeFd, this.#scratch));
		this.#setParts([...this.#parts, {part, turn: new FairTurn()}]);
		return {
			close: () => {
				this.#setParts(this.#parts.filter((other) => other.part !== part));
				part.sleeping(false);
				watch.close();
			},
		};
	}

	async run(): Promise<void> {
		const {state} = this;
		state.tid = gettid();
		// Node's loop waits for its own descriptors from its first round on: one that has had none would be waited for in vain.
		await new Promise((resolve) => setImmediate(resolve));
		let idleSince = now();
		// The very first turn may be the one that does not come back.
		state.turnNs = idleSince;
		while (!this.#closed) {
			state.turns++;
			if (this.#runDue()) idleSince = now();
			await settled();
			if (this.#closed) break;
			const time = now();
			state.turnNs = time;
			const busy = time - idleSince < this.#window.ns(state.pollNs);
			// Descriptors have their turn also while there is always something posted.
			if (busy && this.#looks()) {
				idleSince = time;
				this.#runDeferred();
			}
			const isReady = this.#wait(busy ? 0 : this.#sleepNs());
			if (isReady) idleSince = now();
			if (this.#loopHasWork) {
				await this.#turnLoop();
				this.#looksAgain = true;
			} else if (this.#looksAgain && !busy && !isReady) {
				const before = loopEvents();
				await this.#turnLoop();
				this.#looksAgain = loopEvents() !== before;
			}
		}
		close(this.#epoll.fd);
		close(this.#endFd);
	}

	close(): void {
		this.#closed = true;
		signalEventfd(this.#endFd);
	}

	#setParts(parts: readonly ServedPart[]): void {
		this.#parts = parts;
		this.state.parts = parts.length;
	}

	/** Looks at every part once, and tells whether any had work. */
	#poll(): boolean {
		let worked = false;
		for (const {part, turn} of this.#parts) worked = turn.take(part) || worked;
		if (worked) this.state.polledWork++;
		return worked;
	}

	/** Looks for posted work alone, which costs no system call, and tells whether there was any. */
	#looks(): boolean {
		for (let looked = 0; looked < looksPerWait; looked += Math.max(1, this.#parts.length)) {
			if (this.#poll()) return true;
		}
		return false;
	}

	/** Serves polled work, deferred actions and expired timers; true when there were any. */
	#runDue(): boolean {
		const found = this.#poll();
		let worked = this.#runDeferred() || found;
		if (this.#timers.size === 0) return worked;
		const time = now();
		for (let expired = this.#timers.takeDue(time); expired !== undefined; expired = this.#timers.takeDue(time)) {
			expired();
			worked = true;
		}
		return worked;
	}

	/** Runs deferred actions, and those that they defer, but no further ones: true when there were any. */
	#runDeferred(): boolean {
		let worked = false;
		for (let round = 0; round < deferredRounds && this.#deferred.length > 0; round++) {
			const deferred = this.#deferred;
			this.#deferred = [];
			for (const action of deferred) action();
			worked = true;
		}
		return worked;
	}

	/** Waits for descriptors; true when any was ready. */
	#wait(timeoutNs: number): boolean {
		const sleeps = timeoutNs !== 0;
		if (sleeps) {
			for (const {part} of this.#parts) part.sleeping(true);
			// A post between the last look and the flag would not signal: look once more.
			if (this.#poll()) timeoutNs = 0;
			else this.state.sleeps++;
		}
		this.state.descriptors = this.#entries.size;
		this.state.timers = this.#timers.size;
		this.state.waiting = 1;
		const before = now();
		const count = this.#epoll.wait(timeoutNs);
		if (timeoutNs !== 0) this.#window.slept(now() - before, this.state.pollNs);
		this.state.waiting = 0;
		if (sleeps) for (const {part} of this.#parts) part.sleeping(false);
		for (let i = 0; i < count; i++) this.#dispatch(this.#epoll.readyToken(i), this.#epoll.readyEvents(i));
		return count > 0;
	}

	#dispatch(token: number, events: number): void {
		this.state.events++;
		if (token === endToken) {
			drainEventfd(this.#endFd, this.#scratch);
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
		if (this.#deferred.length > 0 || this.#loopHasWork) return 0;
		const sleepNs = Math.max(0, this.#timers.nextNs - now());
		return this.#looksAgain ? Math.min(againNs, sleepNs) : sleepNs;
	}

	/** One round of Node's loop. It looks at its descriptors between two immediates; what it misses, the next wait reports again. */
	async #turnLoop(): Promise<void> {
		this.#loopHasWork = false;
		// Due timers come first: a round of Node's takes longer than looking for them.
		this.#runDue();
		await new Promise((resolve) => setImmediate(resolve));
	}
}
