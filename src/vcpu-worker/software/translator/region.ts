import {kindNumber, kinds} from '#vcpu-worker/software/semantics';
import {maxTableBlocks} from '#vcpu-worker/software/state';
import {arrange} from './arrange.ts';
import type {KnownStep} from './read-block.ts';

/** A block of a region. */
export interface RegionBlock {
	/** Where in the page it begins. */
	readonly start: number;
	/** Its steps, as far as they are of this region's: what begins another block is that one's. */
	readonly steps: readonly KnownStep[];
	/** Where it goes on behind its last step if that does not say so: the start of another block, and instructions until there. */
	readonly follower: {readonly start: number; readonly executed: number} | undefined;
	/** Numbers of the blocks to which it goes. */
	readonly targets: readonly number[];
}

/** Blocks of one page that are translated as one function, in the order of `arrange`: of any processor's records, wherever these lie. */
export interface Region {
	readonly blocks: readonly RegionBlock[];
	/** Numbers of the blocks at which it can begin. */
	readonly entries: readonly number[];
	/** Numbers of the blocks that branches go to, by where in the page they begin. */
	readonly numbers: ReadonlyMap<number, number>;
	/** Its loops: numbers of their first and last blocks. */
	readonly loops: ReadonlyMap<number, number>;
	/** Where blocks behind calls begin with which a return is compared. */
	readonly returns: readonly number[];
	/** It jumps and calls to where it does not know, which may be one of its own entries. */
	readonly comesBack: boolean;
}

/** Most of a region: V8 takes long for large functions. */
const maxBlocks = Math.min(48, maxTableBlocks);
const maxSteps = 600;
/** Most places behind calls that a return is compared with. */
const maxReturns = 8;

/** A block alone as a region, which all branches leave. */
export function loneRegion(steps: readonly KnownStep[]): Region {
	const blocks = [{start: steps[0]?.start ?? 0, steps, follower: undefined, targets: []}];
	return {blocks, entries: [0], numbers: new Map(), loops: new Map(), returns: [], comesBack: false};
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
	const starts = [...found.keys()];
	const indices = new Map(starts.map((start, index) => [start, index]));
	const behind = new Set([...found.values()].flatMap(returnsTo));
	const returns = [...behind].filter((start) => found.has(start)).slice(0, maxReturns);
	const cut = [...found].map(([start, steps]) => cutBlock(start, steps, found));
	const goesTo = cut.map(({steps, follower}) => {
		const back = steps.some(isReturn) ? returns : [];
		const next = follower === undefined ? [] : [follower.start];
		return [...targetsOf(steps), ...next, ...back].flatMap((target) => indices.get(target) ?? []);
	});
	const followed = new Set(cut.flatMap(({steps, follower}) => [...targetsOf(steps), follower?.start]));
	const called = new Set(cut.flatMap(({steps}) => targetsOf(steps.filter(({kind}) => directCalls.has(kind)))));
	const entries = starts.flatMap((start, index) => {
		const isCrossroads = !followed.has(start) || behind.has(start) || called.has(start);
		return start === offset || (isCrossroads && isWarm(start)) ? [index] : [];
	});
	const {order, loops} = arrange(goesTo, entries);
	const numbers = new Map(order.map((index, number) => [index, number]));
	const numberOf = (index: number) => numbers.get(index) as number;
	return {
		blocks: order.map((index) => ({
			...(cut[index] as (typeof cut)[number]),
			targets: (goesTo[index] as number[]).map(numberOf),
		})),
		entries: entries.map(numberOf),
		numbers: new Map(starts.map((start, index) => [start, numberOf(index)])),
		loops,
		returns,
		comesBack: entries.length > 1 && cut.some(({steps}) => steps.some(({kind}) => unknown.has(kind))),
	};
}

/** Gives a block without what begins another one. */
function cutBlock(
	start: number,
	steps: readonly KnownStep[],
	found: ReadonlyMap<number, unknown>,
): Omit<RegionBlock, 'targets'> {
	// Interrupts stay away from what follows STI: not so where blocks meet.
	const end = steps.findIndex(
		({start: at, ordinal}, index) =>
			ordinal > 1 && at !== start && found.has(at) && steps[index - 1]?.kind !== lettingIn,
	);
	const begun = end > 0 ? steps[end] : undefined;
	if (begun === undefined) return {start, steps, follower: undefined};
	return {start, steps: steps.slice(0, end), follower: {start: begun.start, executed: begun.ordinal - 1}};
}

/** Offsets to which steps go in their page. */
function targetsOf(steps: readonly KnownStep[]): number[] {
	return steps.flatMap(({kind, immediate}) => {
		const isDirect = kinds[kind]?.isJump === true && !indirect.has(kind);
		return isDirect && immediate >= 0n && immediate < 4096n ? [Number(immediate)] : [];
	});
}

/** Offsets in their page behind calls. */
function returnsTo(steps: readonly KnownStep[]): number[] {
	return steps.flatMap(({kind, next}) => (calls.has(kind) && next < 4096 ? [next] : []));
}

/** A step returns to an address that a call has left. */
export const isReturn = ({kind}: KnownStep): boolean => kind === returning;

const returning = kindNumber('ret.64');
const lettingIn = kindNumber('sti.64');
/** Kinds that call, those of them that go to their constant, and those that jump and call to where only running code knows. */
const calls = new Set(kinds.flatMap(({key}, number) => (/^call(To)?[.]64/.test(key) ? [number] : [])));
const directCalls = new Set(kinds.flatMap(({key}, number) => (/^call[.]64/.test(key) ? [number] : [])));
const unknown = new Set(kinds.flatMap(({key}, number) => (/^(jmpTo|callTo)[.]/.test(key) ? [number] : [])));

/** Kinds that jump, and not to their constant. */
const indirect = new Set(
	kinds.flatMap(({key}, number) => (/^(jmpTo|callTo|ret)|Narrow|^call(Segmented)?\.16$/.test(key) ? [number] : [])),
);
