import {MicroOp} from '#vcpu-worker/software/state';

/** A way on which code leaves a translation for another one: distances from the begin of the page of the block that it was asked for. */
export interface Crossing {
	readonly from: number;
	readonly to: number;
	/** Head of the block to which it goes. */
	readonly head: number;
}

/** Part of all stops at which code was that samples are at least: of programs whose time is spread over hundreds of translations few pay for a new one. */
const leastShare = 1 / 8;
/** Part of the samples that a way has at least, and how many such ways. */
const leastCrossings = 1 / 16;
export const maxLinks = 8;

/** Samples of how code leaves a translation. */
export class Crossings {
	/** By a number for a way. */
	readonly #ways = new Map<number, {readonly crossing: Crossing; count: number}>();
	#samples = 0;
	/** Stops of code, of whatever translation, before the first of them. */
	#stopsBefore = 0;

	/**
	 * Takes note of a sample.
	 * @param record - of the step with which code leaves
	 * @param block - to which it goes
	 * @param stops - of code so far, of whatever translation
	 * @param enough - samples, behind which they begin anew
	 * @returns the ways on which it is left most often, where it is left often, and there are enough samples
	 */
	note(record: number, block: number, crossing: () => Crossing, stops: number, enough: number): readonly Crossing[] {
		const key = (record / MicroOp.size) * 2 ** 26 + block / MicroOp.size;
		const way = this.#ways.get(key);
		if (way !== undefined) way.count++;
		else this.#ways.set(key, {crossing: crossing(), count: 1});
		if (this.#samples++ === 0) this.#stopsBefore = stops - 1;
		if (this.#samples < enough) return [];
		const isOften = this.#samples >= (stops - this.#stopsBefore) * leastShare;
		const least = this.#samples * leastCrossings;
		const often = [...this.#ways.values()].filter(
			({crossing: {from, to}, count}) => isOften && count >= least && isNear(from) && isNear(to),
		);
		this.#ways.clear();
		this.#samples = 0;
		const most = often.sort((one, other) => other.count - one.count).slice(0, maxLinks);
		return most.map(({crossing}) => crossing);
	}
}

/** A distance that code may be at. */
const isNear = (distance: number): boolean => Math.abs(distance) < 2 ** 31;
