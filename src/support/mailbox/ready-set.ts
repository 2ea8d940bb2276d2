import {array, i32, wire} from '#support/wire';

/** Number of slots of a set. */
export const readySlots = 2048;

/** Tells which of many things have work, as bits that all threads share: a word says which words have bits. */
export const ReadySetState = wire('ready-set', {
	summary: array(i32, readySlots / 1024),
	ready: array(i32, readySlots / 32),
	/** Number of times each slot was signalled while it had no work. */
	signals: array(i32, readySlots),
});

/** One thread's view of a set. Any thread signals; one takes. */
export class ReadySet {
	readonly #summary: Int32Array;
	readonly #ready: Int32Array;
	readonly #signals: Int32Array;
	/** The slot that is looked at first. */
	#first = 0;

	constructor(buffer: SharedArrayBuffer) {
		const {summary, ready, signals} = ReadySetState.on(buffer);
		this.#summary = summary;
		this.#ready = ready;
		this.#signals = signals;
	}

	/** Says that a slot has work; true when it had none before, so that somebody has to be told. */
	signal(slot: number): boolean {
		const [word, bit] = [slot >>> 5, 1 << (slot & 31)];
		if ((Atomics.or(this.#ready, word, bit) & bit) !== 0) return false;
		Atomics.add(this.#signals, slot, 1);
		// After the bit: who takes clears in the other order, and so misses neither.
		Atomics.or(this.#summary, word >>> 5, 1 << (word & 31));
		return true;
	}

	/**
	 * Calls `serve` for every slot that was signalled, which then counts as served; true when one of the calls said that it worked, or
	 * some are left.
	 * @param most - how many slots may be served; the next call begins with those that come then
	 * @param isOver - asked after each: true ends the call as well
	 */
	take(serve: (slot: number) => boolean, most = readySlots, isOver = (): boolean => false): boolean {
		let worked = false;
		if (this.#isEmpty()) return worked;
		const words = this.#ready.length;
		const [firstWord, firstBit] = [this.#first >>> 5, this.#first & 31];
		let left = most;
		// The first word comes twice: from the first slot on, and at the end up to it.
		const steps = firstBit === 0 ? words : words + 1;
		for (let step = 0; step < steps; step++) {
			const word = (firstWord + step) % words;
			const [index, place] = [word >>> 5, word & 31];
			const later = Atomics.load(this.#summary, index) >>> place;
			const skipped = later === 0 ? 32 - place : lowestBit(later);
			if (skipped > 0) {
				step += skipped - 1;
				continue;
			}
			// Before the slots' own bits: who signals sets them in the other order, and so is not missed.
			Atomics.and(this.#summary, index, ~(1 << place));
			let bits = Atomics.exchange(this.#ready, word, 0);
			const others = step === 0 ? ~(-1 << firstBit) : step === words ? -1 << firstBit : 0;
			this.#putBack(word, bits & others);
			for (bits &= ~others; bits !== 0; ) {
				const slot = word * 32 + lowestBit(bits);
				bits &= bits - 1;
				worked = serve(slot) || worked;
				left--;
				if (left > 0 && !isOver()) continue;
				this.#first = (slot + 1) % readySlots;
				this.#putBack(word, bits);
				return worked || !this.#isEmpty();
			}
		}
		return worked;
	}

	/** Has slots of a word be taken later. */
	#putBack(word: number, bits: number): void {
		if (bits === 0) return;
		Atomics.or(this.#ready, word, bits);
		Atomics.or(this.#summary, word >>> 5, 1 << (word & 31));
	}

	#isEmpty(): boolean {
		for (let index = 0; index < this.#summary.length; index++)
			if (Atomics.load(this.#summary, index) !== 0) return false;
		return true;
	}

	/** Gives the number of times a slot was signalled while it had no work. */
	signals(slot: number): number {
		return (this.#signals[slot] as number) >>> 0;
	}
}

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits);
