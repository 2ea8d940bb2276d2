import {kindNumber, kinds} from '#vcpu-worker/software/semantics';
import {maxTableBlocks} from '#vcpu-worker/software/state';
import {pageOf} from '#vcpu-worker/software/translation-store';
import {arrange} from './arrange.ts';
import type {KnownStep} from './read-block.ts';

/** A block of a region. */
export interface RegionBlock {
	/** Where it begins: see `MadeRegion`. */
	readonly place: number;
	/** Its steps, as far as they are of this region's: what begins another block is that one's. */
	readonly steps: readonly KnownStep[];
	/** Where it goes on behind its last step if that does not say so: the place of another block, and instructions until there. */
	readonly follower: {readonly place: number; readonly executed: number} | undefined;
	/** Numbers of the blocks to which it goes. */
	readonly targets: readonly number[];
}

/** Blocks that are translated as one function, in the order of `arrange`: of any processor's records, wherever these lie. */
export interface Region {
	readonly blocks: readonly RegionBlock[];
	/** Numbers of the blocks at which it can begin. */
	readonly entries: readonly number[];
	/** Numbers of the blocks that branches go to, by their places. */
	readonly numbers: ReadonlyMap<number, number>;
	/** Its loops: numbers of their first and last blocks. */
	readonly loops: ReadonlyMap<number, number>;
	/** Places of blocks behind calls with which a return is compared. */
	readonly returns: readonly number[];
	/** Where its pages begin. */
	readonly pages: readonly number[];
	/** It jumps and calls to where it does not know, which may be one of its own entries. */
	readonly comesBack: boolean;
	/** See `TranslationRequest.looksAlone`. */
	readonly looksAlone: boolean;
	/** Its code is 64-bit code. */
	readonly isLong: boolean;
	/** Places to which jumps and calls often go whose targets only running code knows, by the places of their instructions. */
	readonly links: ReadonlyMap<number, readonly number[]>;
}

/** What else a region is to have. */
export interface RegionOptions {
	readonly looksAlone?: boolean | undefined;
	readonly isLong?: boolean;
	/** See `TranslationRequest.links`. */
	readonly links?: readonly number[] | undefined;
}

/** Most steps of a region, but for those of its last block: V8 takes long for large functions. */
const maxSteps = 900;
/** Most places behind calls that a return is compared with. */
const maxReturns = 8;
/** Bytes as far as branches go: those of code of 16 and 32 bits that leave their segment go further. */
const farthest = 2n ** 31n;

/** Tells whether a region has as much as it may have. */
export const isFull = (blocks: number, steps: number): boolean => blocks >= maxTableBlocks || steps >= maxSteps;

/** A block alone as a region, which all branches leave. */
export function loneRegion(steps: readonly KnownStep[]): Region {
	const blocks = [{place: steps[0]?.start ?? 0, steps, follower: undefined, targets: []}];
	const nothing = {
		numbers: new Map(),
		loops: new Map(),
		returns: [],
		comesBack: false,
		looksAlone: false,
		isLong: false,
		links: new Map(),
	};
	return {blocks, entries: [0], pages: [0], ...nothing};
}

/**
 * Forms the region of blocks.
 * @param found - by their places; the first one's is where it begins
 * @param isWarm - code comes often enough to a block otherwise than by a translation, so that one should begin there
 */
export function formRegion(
	found: ReadonlyMap<number, readonly KnownStep[]>,
	isWarm: (place: number) => boolean,
	{looksAlone = false, isLong = false, links: pairs = []}: RegionOptions = {},
): Region {
	const places = [...found.keys()];
	const [first] = places;
	const indices = new Map(places.map((place, index) => [place, index]));
	const behind = new Set([...found].flatMap(([place, steps]) => returnsTo(place, steps)));
	const returns = [...behind].filter((place) => found.has(place)).slice(0, maxReturns);
	const links = new Map<number, number[]>();
	for (const [index, to] of pairs.entries()) {
		const from = pairs[index - 1] as number;
		if (index % 2 === 1 && found.has(to)) links.set(from, [...(links.get(from) ?? []), to]);
	}
	const cut = [...found].map(([place, steps]) => cutBlock(place, steps, found));
	const goesTo = cut.map(({place, steps, follower}) => {
		const back = steps.some(isReturn) ? returns : [];
		const next = follower === undefined ? [] : [follower.place];
		const linked = steps.flatMap((step) => (isUnknown(step) ? (links.get(pageOf(place) + step.start) ?? []) : []));
		return [...targetsOf(place, steps), ...next, ...back, ...linked].flatMap((target) => indices.get(target) ?? []);
	});
	const followed = new Set(cut.flatMap(({place, steps, follower}) => [...targetsOf(place, steps), follower?.place]));
	const isDirectCall = ({kind}: KnownStep) => directCalls.has(kind);
	const called = new Set(cut.flatMap(({place, steps}) => targetsOf(place, steps.filter(isDirectCall))));
	const entries = places.flatMap((place, index) => {
		const isCrossroads = !followed.has(place) || behind.has(place) || called.has(place);
		return place === first || (isCrossroads && isWarm(place)) ? [index] : [];
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
		numbers: new Map(places.map((place, index) => [place, numberOf(index)])),
		loops,
		returns,
		pages: [...new Set(places.map(pageOf))],
		comesBack: entries.length > 1 && cut.some(({steps}) => steps.some(isUnknown)),
		looksAlone,
		isLong,
		links,
	};
}

/** Gives a block without what begins another one. */
function cutBlock(
	place: number,
	steps: readonly KnownStep[],
	found: ReadonlyMap<number, unknown>,
): Omit<RegionBlock, 'targets'> {
	const page = pageOf(place);
	// Interrupts stay away from what follows STI: not so where blocks meet.
	const end = steps.findIndex(
		({start, ordinal}, index) =>
			ordinal > 1 && page + start !== place && found.has(page + start) && steps[index - 1]?.kind !== lettingIn,
	);
	const begun = end > 0 ? steps[end] : undefined;
	if (begun === undefined) return {place, steps, follower: undefined};
	return {
		place,
		steps: steps.slice(0, end),
		follower: {place: page + begun.start, executed: begun.ordinal - 1},
	};
}

/** Tells whether steps of a kind jump to their constant. */
export const isDirect = (kind: number): boolean => direct.has(kind);
/** Tells whether they call, and code comes back. */
export const isCall = (kind: number): boolean => calls.has(kind);

/** A step returns to an address that a call has left. */
export const isReturn = ({kind}: KnownStep): boolean => isReturnKind(kind);
/** Tells whether steps of a kind do so. */
export const isReturnKind = (kind: number): boolean => kind === returning;

/** A step jumps or calls to where only running code knows. */
export const isUnknown = ({kind}: KnownStep): boolean => unknown.has(kind);

/** Places to which steps of a block go. */
const targetsOf = (place: number, steps: readonly KnownStep[]): number[] =>
	steps.flatMap(({kind, immediate}) =>
		isDirect(kind) && immediate >= -farthest && immediate < farthest ? [pageOf(place) + Number(immediate)] : [],
	);

/** Places behind a block's calls. */
const returnsTo = (place: number, steps: readonly KnownStep[]): number[] =>
	steps.flatMap(({kind, next}) => (calls.has(kind) ? [pageOf(place) + next] : []));

const returning = kindNumber('ret.64');
const lettingIn = kindNumber('sti.64');
/** Kinds that call, those of them that go to their constant, and those that jump and call to where only running code knows. */
const calls = new Set(kinds.flatMap(({key}, number) => (/^call(To)?[.]64/.test(key) ? [number] : [])));
const directCalls = new Set(kinds.flatMap(({key}, number) => (/^call[.]64/.test(key) ? [number] : [])));
const unknown = new Set(kinds.flatMap(({key}, number) => (/^(jmpTo|callTo)[.]/.test(key) ? [number] : [])));

/** Kinds that jump to their constant. */
const isIndirect = /^(jmpTo|callTo|ret)|Narrow|^call(Segmented)?\.16$/;
const direct = new Set(kinds.flatMap(({key, isJump}, number) => (isJump && !isIndirect.test(key) ? [number] : [])));
