import {Request} from '#vcpu-worker/software/state';

/** Words of all: the last epoch, calls of `begin` that may begin one, and those of them that have. */
const Shared = {epoch: 0, started: 1, done: 2, words: 3} as const;
/** Words of a processor: whether it executes code, and the last epoch that it has acknowledged. */
const wordsEach = 2;
const isRunning = 0;
const acknowledged = 1;

/**
 * Processors that store to pages by their TLB, without looking whether somebody has decoded what is there. One that decodes a page for the
 * first time begins an epoch; when all have acknowledged it they have dropped their entries for stores, and each further store is seen.
 */
export class FastWriters {
	/** Bytes that so many processors share. */
	static byteLength(processors: number): number {
		return (Shared.words + processors * wordsEach) * 4;
	}

	readonly #words: Int32Array;
	readonly #self: number;
	/** The request words of all processors. */
	readonly #requests: readonly Int32Array[];

	constructor(buffer: SharedArrayBuffer, self: number, requests: readonly Int32Array[]) {
		this.#words = new Int32Array(buffer);
		this.#self = self;
		this.#requests = requests;
	}

	/**
	 * Has a page be watched, and all others drop their entries where nobody had watched it.
	 * @param watch - begins to watch; true where nobody did
	 * @returns the epoch after which all writers know
	 */
	begin(watch: () => boolean): number {
		Atomics.add(this.#words, Shared.started, 1);
		if (watch()) {
			const epoch = this.#advance();
			Atomics.add(this.#words, Shared.done, 1);
			return epoch;
		}
		Atomics.sub(this.#words, Shared.started, 1);
		// Another one may be between its watch and its epoch.
		const done = Atomics.load(this.#words, Shared.done);
		return done === Atomics.load(this.#words, Shared.started) ? this.epoch : this.#advance();
	}

	/** Has all others drop their entries. @returns the epoch that has begun */
	#advance(): number {
		const epoch = (Atomics.add(this.#words, Shared.epoch, 1) + 1) | 0;
		for (let index = 0; index < this.#requests.length; index++)
			if (index !== this.#self) Atomics.or(this.#requests[index] as Int32Array, 0, Request.WRITERS);
		return epoch;
	}

	/** This processor is about to execute code. Then it looks at its requests. */
	enter(): void {
		Atomics.store(this.#words, this.#at(this.#self, isRunning), 1);
	}

	/** It executes none, and looks at its requests before it goes on. */
	leave(): void {
		Atomics.store(this.#words, this.#at(this.#self, isRunning), 0);
	}

	/** The epoch that is acknowledged by whoever drops its entries after this call. */
	get epoch(): number {
		return Atomics.load(this.#words, Shared.epoch);
	}

	/** This processor has dropped its entries. */
	acknowledge(epoch: number): void {
		Atomics.store(this.#words, this.#at(this.#self, acknowledged), epoch);
	}

	/** True where no other processor has entries from before the epoch. */
	haveAll(epoch: number): boolean {
		for (let index = 0; index < this.#requests.length; index++) {
			if (index === this.#self || Atomics.load(this.#words, this.#at(index, isRunning)) === 0) continue;
			if (((Atomics.load(this.#words, this.#at(index, acknowledged)) - epoch) | 0) < 0) return false;
		}
		return true;
	}

	#at(index: number, word: number): number {
		return Shared.words + index * wordsEach + word;
	}
}
