import {close, drainEventfd, eventfd, readableInPool} from '#support/ffi';
import type {Reactor, Timer, Watch} from '#support/reactor';
import {CachedReads} from './cached-reads.ts';
import type {FileOperation, IoEngine} from './io-engine.ts';
import {OperationQueue} from './operation-queue.ts';
import {Ring} from './ring.ts';

/** Time after which the kernel is asked again when it has taken nothing, for want of memory. */
const againNs = 1e6;
/** Reads of the page cache that are done one by one: for more the ring takes less, as one call is for all of them. */
const fewReads = 4;
/** Time between two looks while it is closed; the pool's threads have to end with the process. */
const waitMs = 100;

/** {@link IoEngine} by io_uring(7): one call for all operations of a turn, and none for their results. */
export class UringEngine implements IoEngine {
	readonly name = 'io_uring';
	readonly #reactor: Reactor;
	readonly #ring: Ring;
	readonly #eventFd: number;
	readonly #watch: Watch;
	readonly #scratch = new Uint8Array(8);
	readonly #waiting = new OperationQueue();
	readonly #cached = new CachedReads();
	/** Those that the kernel has, by token, and the tokens that none has. */
	readonly #operations: (FileOperation | undefined)[];
	readonly #tokens: number[];
	#isAwaited = false;
	#again: Timer | undefined;
	#isClosed = false;

	private constructor(reactor: Reactor, ring: Ring, eventFd: number) {
		this.#reactor = reactor;
		this.#ring = ring;
		this.#eventFd = eventFd;
		this.#tokens = Array.from({length: ring.capacity}, (_, token) => token);
		this.#operations = new Array<FileOperation | undefined>(ring.capacity).fill(undefined);
		this.#watch = reactor.watch(eventFd, {readable: true, writable: false}, () => {
			drainEventfd(eventFd, this.#scratch);
			this.#reap();
		});
	}

	/** One on this host, or the negated errno that says why not. */
	static open(reactor: Reactor): UringEngine | number {
		const eventFd = eventfd();
		if (eventFd < 0) return eventFd;
		const ring = Ring.open(eventFd);
		if (typeof ring === 'number') {
			close(eventFd);
			return ring;
		}
		try {
			return new UringEngine(reactor, ring, eventFd);
		} catch (cause) {
			ring.close();
			close(eventFd);
			throw cause;
		}
	}

	get inFlight(): number {
		return this.#waiting.length + this.#operations.length - this.#tokens.length;
	}

	submit(operation: FileOperation): void {
		this.#waiting.push(operation);
		this.#await();
	}

	async close(): Promise<void> {
		this.#watch.close();
		// The reactor may be one of somebody's who has gone.
		for (this.#pass(); this.inFlight > 0; this.#pass()) {
			// What was asked for when another had ended at once is not under way yet, and no event comes of it.
			const isMore = this.#waiting.length > 0 && this.#tokens.length > 0 && this.#again === undefined;
			await readableInPool(this.#eventFd, isMore ? 0 : waitMs);
			drainEventfd(this.#eventFd, this.#scratch);
		}
		this.#isClosed = true;
		this.#ring.close();
		close(this.#eventFd);
	}

	/** Gives the kernel all that it has room for. What it has done at once needs no event. */
	readonly #pass = (): void => {
		this.#isAwaited = false;
		// The ring's memory is gone.
		if (this.#isClosed) return;
		if (this.#waiting.length <= fewReads) this.#readCached();
		this.#ring.signal(false);
		while (this.#waiting.length > 0 && this.#tokens.length > 0 && this.#ring.room > 0) this.#add(this.#waiting.shift());
		if (this.#ring.enter() < 0) this.#again ??= this.#reactor.after(againNs, this.#passAgain);
		this.#reap();
		this.#ring.signal(true);
		// One that came before it was said.
		this.#reap();
	};

	/** Does those that have to wait for nothing. */
	#readCached(): void {
		for (let left = this.#waiting.length; left > 0; left--) {
			const operation = this.#waiting.shift();
			const result = this.#cached.try(operation);
			if (result > 0) operation.completed(result);
			else this.#waiting.push(operation);
		}
	}

	readonly #passAgain = (): void => {
		this.#again = undefined;
		this.#pass();
	};

	#add(operation: FileOperation): void {
		const token = this.#tokens.pop() as number;
		this.#operations[token] = operation;
		this.#ring.add(operation, token);
	}

	#reap(): void {
		// There may be room now.
		if (this.#ring.reap(this.#completed) > 0 && this.#waiting.length > 0) this.#await();
	}

	#await(): void {
		if (this.#isAwaited) return;
		this.#isAwaited = true;
		this.#reactor.defer(this.#pass);
	}

	readonly #completed = (token: number, result: number): void => {
		const operation = this.#operations[token] as FileOperation;
		this.#operations[token] = undefined;
		this.#tokens.push(token);
		operation.completed(result);
	};
}
