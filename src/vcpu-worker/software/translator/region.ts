import {kinds} from '#vcpu-worker/software/semantics';
import {maxTableBlocks} from '#vcpu-worker/software/state';
import type {KnownStep} from './read-block.ts';

/** A block of a region. */
export interface RegionBlock {
	/** Where in the page it begins. */
	readonly start: number;
	/** Its steps, as far as they are of this region's: what begins another block is that one's. */
	readonly steps: readonly KnownStep[];
	/** Where it goes on behind its last step if that does not say so: the start of another block, and instructions until there. */
	readonly follower: {readonly start: number; readonly executed: number} | undefined;
}

/** Blocks of one page that are translated as one function, in the order of the page: of any processor's records, wherever these lie. */
export interface Region {
	readonly blocks: readonly RegionBlock[];
	/** Numbers of the blocks at which it can begin. */
	readonly entries: readonly number[];
	/** Numbers of the blocks that branches go to, by where in the page they begin. */
	readonly numbers: ReadonlyMap<number, number>;
}

/** Most of a region: V8 takes long for large functions. */
const maxBlocks = Math.min(48, maxTableBlocks);
const maxSteps = 600;

/** A block alone as a region, which all branches leave. */
export function loneRegion(steps: readonly KnownStep[]): Region {
	return {blocks: [{start: steps[0]?.start ?? 0, steps, follower: undefined}], entries: [0], numbers: new Map()};
}

/**
 * Forms the region that begins at an offset of a page: the block there, and those to which it and they go directly, as far as they are known.
 * @param stepsAt - the block at an offset; undefined where none has been executed yet
 * @param isWarm - code comes often enough to a block otherwise than by a translation, so that one should begin there
 */
export function formRegion(
	offset: number,
	stepsAt: (offset: number) => readonly KnownStep[] | undefined,
	isWarm: (offset: number) => boolean,
): Region {
	const found = new Map<number, readonly KnownStep[]>();
	const pending = [offset];
	let count = 0;
	for (let at = pending.shift(); at !== undefined; at = pending.shift()) {
		const steps = found.has(at) || found.size >= maxBlocks || count >= maxSteps ? undefined : stepsAt(at);
		if (steps === undefined) continue;
		found.set(at, steps);
		count += steps.length;
		pending.push(...targetsOf(steps), ...returnsTo(steps));
	}
	const sorted = [...found.entries()].sort(([one], [other]) => one - other);
	const numbers = new Map(sorted.map(([start], number) => [start, number]));
	const blocks = sorted.map(([start, steps]) => {
		const end = steps.findIndex(({start: at, ordinal}) => ordinal > 1 && at !== start && found.has(at));
		const begun = end > 0 ? steps[end] : undefined;
		if (begun === undefined) return {start, steps, follower: undefined};
		return {start, steps: steps.slice(0, end), follower: {start: begun.start, executed: begun.ordinal - 1}};
	});
	const start = numbers.get(offset) ?? 0;
	const followed = new Set(
		blocks.flatMap(({steps, follower}) => [...targetsOf(steps), ...(follower === undefined ? [] : [follower.start])]),
	);
	const entries = sorted.flatMap(([at], number) =>
		number === start || (!followed.has(at) && isWarm(at)) ? [number] : [],
	);
	return {blocks, entries, numbers};
}

/** Offsets to which steps go in their page. */
export function targetsOf(steps: readonly KnownStep[]): number[] {
	return steps.flatMap(({kind, immediate}) => {
		const isDirect = kinds[kind]?.isJump === true && !indirect.has(kind);
		return isDirect && immediate >= 0n && immediate < 4096n ? [Number(immediate)] : [];
	});
}

/** Offsets in their page behind calls. */
export function returnsTo(steps: readonly KnownStep[]): number[] {
	return steps.flatMap(({kind, next}) => (calls.has(kind) && next < 4096 ? [next] : []));
}

const calls = new Set(kinds.flatMap(({key}, number) => (/^call(To)?[.]64/.test(key) ? [number] : [])));

/** Kinds that jump, and not to their constant. */
const indirect = new Set(
	kinds.flatMap(({key}, number) => (/^(jmpTo|callTo|ret)|Narrow|^call(Segmented)?\.16$/.test(key) ? [number] : [])),
);
