import {fallocateInPool, fdatasyncInPool, type PoolResult, preadvInPool, pwritevInPool} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import {CachedReads} from './cached-reads.ts';
import {FileAction, type FileOperation, type IoEngine} from './io-engine.ts';
import {OperationQueue} from './operation-queue.ts';
import {PoolCalls} from './pool-calls.ts';

/** {@link IoEngine} by calls on threads of Node's pool, for hosts that deny io_uring. */
export class PoolEngine implements IoEngine {
	readonly name = 'threads';
	readonly #reactor: Reactor;
	readonly #waiting = new OperationQueue();
	readonly #cached = new CachedReads();
	/** Those that are done, of which nobody has been told. */
	readonly #results: {readonly operation: FileOperation; readonly result: number}[] = [];
	/** Those that the pool has. */
	readonly #calls = new PoolCalls();
	/** Others have all that there is room for. */
	#isRoomAwaited = false;
	/** The reactor is to come to {@link #tell}. */
	#isTellPlanned = false;
	#isClosing = false;
	#emptied: (() => void) | undefined;

	constructor(reactor: Reactor) {
		this.#reactor = reactor;
	}

	get inFlight(): number {
		return this.#waiting.length + this.#calls.own + this.#results.length;
	}

	submit(operation: FileOperation): void {
		// Of one who goes each would be told within the end of the one before: a request of many parts would need a deep stack.
		const result = this.#isClosing ? 0 : this.#cached.try(operation);
		if (result > 0) this.#ended(operation, result);
		else {
			this.#waiting.push(operation);
			this.#pass();
		}
	}

	async close(): Promise<void> {
		this.#isClosing = true;
		this.#tell();
		if (this.inFlight === 0) return;
		const {promise, resolve} = Promise.withResolvers<void>();
		this.#emptied = resolve;
		await promise;
	}

	#pass(): void {
		while (this.#waiting.length > 0 && this.#calls.take()) {
			const operation = this.#waiting.shift();
			call(operation, (result) => {
				this.#calls.giveBack();
				this.#ended(operation, result);
			});
		}
		// The end of a call of its own comes here by itself.
		if (this.#waiting.length > 0 && this.#calls.own === 0) void this.#awaitRoom();
	}

	async #awaitRoom(): Promise<void> {
		if (this.#isRoomAwaited) return;
		this.#isRoomAwaited = true;
		await this.#calls.room();
		this.#isRoomAwaited = false;
		this.#pass();
	}

	/** Whoever asked is told by the reactor, but that of somebody who has gone has no turns. */
	#ended(operation: FileOperation, result: number): void {
		this.#results.push({operation, result});
		if (this.#isClosing) this.#tell();
		else if (!this.#isTellPlanned) {
			this.#isTellPlanned = true;
			this.#reactor.defer(this.#tell);
		}
	}

	/** Tells of what is done now: what is asked for meanwhile, and is done at once, has a turn of its own, as others of the thread have. */
	readonly #tell = (): void => {
		this.#isTellPlanned = false;
		for (let left = this.#results.length; left > 0; left--) {
			const ended = this.#results.shift();
			ended?.operation.completed(ended.result);
			this.#pass();
		}
		if (this.inFlight === 0) this.#emptied?.();
	};
}

function call({action, fd, offset, vectors, count, length, flags}: FileOperation, done: PoolResult): void {
	switch (action) {
		case FileAction.READ:
			preadvInPool(fd, vectors, count, offset, done);
			return;
		case FileAction.WRITE:
			pwritevInPool(fd, vectors, count, offset, flags, done);
			return;
		case FileAction.SYNC:
			fdatasyncInPool(fd, done);
			return;
		case FileAction.ALLOCATE:
			fallocateInPool(fd, flags, offset, length, done);
	}
}
