import {isLater, isRefused} from '#devices/folder';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {Errno} from '#support/ffi';
import type {Reactor, Timer} from '#support/reactor';
import {LkIn} from './layout.ts';
import {lockOf, type Served} from './operations.ts';
import type {FuseRequest} from './request.ts';

/** Programs of the guest's that may wait for locks at once. */
const mostWaiting = 64;
/** Time between two tries; the host tells nobody that a lock is free. */
const againNs = 20e6;

interface Waiting {
	readonly queue: VirtQueue;
	readonly request: FuseRequest;
	readonly answer: (result: number) => void;
}

/** Requests that wait for locks which others have (SETLKW). Nobody's thread waits: they are tried again and again. */
export class LockWaits {
	readonly #reactor: Reactor;
	readonly #served: () => Served;
	readonly #waiting = new Map<bigint, Waiting>();
	#timer: Timer | undefined;

	constructor(reactor: Reactor, served: () => Served) {
		this.#reactor = reactor;
		this.#served = served;
	}

	/** Takes a lock as soon as that is possible. @param answer - is given 0 or a negated errno, once, maybe at once */
	take(queue: VirtQueue, request: FuseRequest, answer: (result: number) => void): void {
		if (this.#waiting.size >= mostWaiting || this.#waiting.has(request.unique)) {
			answer(-Errno.ENOLCK);
			return;
		}
		this.#waiting.set(request.unique, {queue, request, answer});
		this.#try(request.unique);
	}

	/** The program waits no more: a signal has come. */
	interrupt(unique: bigint): void {
		this.#end(unique, -Errno.EINTR);
	}

	/** Gives up all that wait, of which nobody is told. */
	takeAll(): readonly {readonly queue: VirtQueue; readonly chain: Chain}[] {
		const all = [...this.#waiting.values()].map(({queue, request: {chain}}) => ({queue, chain}));
		this.#waiting.clear();
		this.#timer?.cancel();
		this.#timer = undefined;
		return all;
	}

	#try(unique: bigint): void {
		const request = this.#waiting.get(unique)?.request;
		const words = request?.read(LkIn);
		const lock = words && lockOf(words);
		const result = lock === undefined ? -Errno.EINVAL : this.#served().folder.setLock(words?.fh as number, lock);
		if (isLater(result)) void result.then((later) => this.#tried(unique, later));
		else this.#tried(unique, result);
	}

	#tried(unique: bigint, result: number): void {
		if (result === -Errno.EAGAIN) this.#tryLater();
		else this.#end(unique, isRefused(result) ? result : 0);
	}

	#tryLater(): void {
		this.#timer ??= this.#reactor.after(againNs, () => {
			this.#timer = undefined;
			for (const unique of [...this.#waiting.keys()]) this.#try(unique);
		});
	}

	#end(unique: bigint, result: number): void {
		const waiting = this.#waiting.get(unique);
		this.#waiting.delete(unique);
		waiting?.answer(result);
	}
}
