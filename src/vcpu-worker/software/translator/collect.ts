import {RecordWord} from '#vcpu-worker/software/decode';
import {kinds} from '#vcpu-worker/software/semantics';
import {pageOf} from '#vcpu-worker/software/translation-store';
import {isCall, isDirect, isFull} from './region.ts';

/** Pages: each has a bit of 32. */
const maxPages = 16;
/** Most steps that a block is looked through for. */
const maxBlockSteps = 1024;

/** A processor's decoded code around a block. */
export interface CodeAround {
	/** The processor's memory, in words. */
	readonly words: Int32Array;
	/** First record of the block at a place; undefined where none is known. */
	firstAt(place: number): number | undefined;
	/** How far a block is from being hot, by its first record; undefined where it is to be in no other one's region. */
	rankOf(first: number, place: number): number | undefined;
}

/** Finds the blocks of a region, and their first records: those at some places, and those to which they lead, the most executed ones first. */
export function collect({words, firstAt, rankOf}: CodeAround, begins: readonly number[]): ReadonlyMap<number, number> {
	const found = new Map<number, number>();
	const pages = new Set<number>();
	const pending = new Map<number, {readonly first: number; readonly rank: number}>();
	const add = (place: number, rank?: number) => {
		if (found.has(place) || pending.has(place)) return;
		const first = firstAt(place);
		const wanted = first === undefined ? undefined : (rank ?? rankOf(first, place));
		if (first !== undefined && wanted !== undefined) pending.set(place, {first, rank: wanted});
	};
	for (const begin of begins) add(begin, 0);
	let count = 0;
	while (pending.size > 0 && !isFull(found.size, count)) {
		const [place, {first}] = [...pending].reduce((best, each) => (each[1].rank < best[1].rank ? each : best));
		pending.delete(place);
		const page = pageOf(place);
		if (!pages.has(page) && pages.size >= maxPages) continue;
		found.set(place, first);
		pages.add(page);
		const {steps, targets} = leadsTo(words, first);
		count += steps;
		for (const target of targets) if (Math.abs(target) < 2 ** 31) add(page + target);
	}
	return found;
}

/** Counts the steps of a block, and finds where it goes directly or behind a call, from its page's begin. */
function leadsTo(words: Int32Array, first: number): {readonly steps: number; readonly targets: readonly number[]} {
	const targets: number[] = [];
	let at = first / 4;
	for (let steps = 1; ; steps++, at += RecordWord.words) {
		const kind = (words[at + RecordWord.kind] as number) & 0xffff;
		if (isDirect(kind)) {
			const low = (words[at + RecordWord.immediate] as number) >>> 0;
			targets.push((words[at + RecordWord.immediate + 1] as number) * 2 ** 32 + low);
		}
		if (isCall(kind)) targets.push((words[at + RecordWord.start] as number) >>> 16);
		// The step that leaves to TypeScript has no kind.
		if ((kinds[kind]?.isLast ?? true) || steps === maxBlockSteps) return {steps, targets};
	}
}
