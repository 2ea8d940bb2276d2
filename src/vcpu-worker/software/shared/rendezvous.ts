import {Request} from '#vcpu-worker/software/state';

/** Words of all: the last epoch, calls of `begin` that may begin one, and those of them that have; who is alone, from 1. */
const Shared = {epoch: 0, started: 1, done: 2, alone: 3, words: 4} as const;
/** Words of a processor: whether it executes code, and the last epoch that it has acknowledged. */
const wordsEach = 2;
const isRunning = 0;
const acknowledged = 1;

/** So often a processor looks whether another has left code, before it lets its thread rest for a moment. */
const looks = 1000;
const restMs = 0.05;

/**
 * What processors have to agree on. One can exclude all others for a moment. And they tell each other of code: processors that store to pages by their TLB, without looking whether somebody has decoded what is there. One that decodes a page for the
 * first time begins an epoch; when all have acknowledged it they have dropped their entries for stores, and each further store is seen.
 */
export class Rendezvous {
	/** Bytes that so many processors share. */
	static byteLength(processors: number): number {
		return (Shared.words + processors * wordsEach) * 4;
	}

	readonly #words: Int32Array;
	readonly #self: number;
	/** The request words of all processors. */
	readonly #requests: readonly Int32Array[];

	/** @param self - the processor whose thread this is; -1 for none */
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
		return done === Atomics.load(this.#words, Shared.started)
			? Atomics.load(this.#words, Shared.epoch)
			: this.#advance();
	}

	/** Has all others drop their entries. @returns the epoch that has begun */
	#advance(): number {
		const epoch = (Atomics.add(this.#words, Shared.epoch, 1) + 1) | 0;
		for (let index = 0; index < this.#requests.length; index++)
			if (index !== this.#self) Atomics.or(this.#requests[index] as Int32Array, 0, Request.WRITERS);
		return epoch;
	}

	/** This processor is about to execute code, as soon as no other is alone. Then it looks at its requests. */
	enter(): void {
		for (;;) {
			Atomics.store(this.#words, this.#at(this.#self, isRunning), 1);
			const alone = Atomics.load(this.#words, Shared.alone);
			if (alone === 0) return;
			this.leave();
			Atomics.wait(this.#words, Shared.alone, alone);
		}
	}

	/**
	 * Does something while no other processor executes code.
	 * @param drop - drops this processor's entries for stores: it may have to wait in the midst of an instruction, and nobody waits for
	 * one that waits
	 */
	exclusively(action: () => void, drop: () => void): void {
		while (Atomics.compareExchange(this.#words, Shared.alone, 0, this.#self + 1) !== 0) {
			this.leave();
			this.enter();
			this.drop(drop);
		}
		try {
			for (let index = 0; index < this.#requests.length; index++) {
				if (index === this.#self) continue;
				Atomics.or(this.#requests[index] as Int32Array, 0, Request.PAUSE);
				this.#await(index);
			}
			action();
		} finally {
			Atomics.store(this.#words, Shared.alone, 0);
			Atomics.notify(this.#words, Shared.alone);
		}
	}

	/** Waits until another processor executes no code. Its thread looks at its requests often. */
	#await(index: number): void {
		const running = this.#at(index, isRunning);
		for (let look = 1; Atomics.load(this.#words, running) !== 0; look++)
			if (look % looks === 0) Atomics.wait(this.#words, running, 1, restMs);
	}

	/** It executes none, and looks at its requests before it goes on. */
	leave(): void {
		Atomics.store(this.#words, this.#at(this.#self, isRunning), 0);
	}

	/** Drops this processor's entries for stores, and acknowledges the epochs that have begun before. */
	drop(action: () => void): void {
		const epoch = Atomics.load(this.#words, Shared.epoch);
		action();
		Atomics.store(this.#words, this.#at(this.#self, acknowledged), epoch);
	}

	/**
	 * Has all processors drop their entries, and waits until they have.
	 * @returns false where one has not, which does not look at its requests
	 */
	dropAll(patienceMs: number): boolean {
		const epoch = this.begin(() => true);
		const end = performance.now() + patienceMs;
		while (!this.haveAll(epoch)) {
			if (performance.now() > end) return false;
			Atomics.wait(this.#words, Shared.epoch, epoch, restMs);
		}
		return true;
	}

	/** True where this processor has no entries from before the epoch. */
	has(epoch: number): boolean {
		return ((Atomics.load(this.#words, this.#at(this.#self, acknowledged)) - epoch) | 0) >= 0;
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
