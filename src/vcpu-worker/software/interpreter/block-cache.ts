import {type FunctionBuilder, type Int, i32, type Memory} from '#support/wasm';
import {CpuState, displacedJumps, jumpEntries, jumpEntry, memoryMap, segmentBaseAt} from '#vcpu-worker/software/state';

/** Number of CS. */
const codeSegment = 1;

/** What generated code finds in the cache of blocks. */
export interface CachedBlock {
	/** It has one that may be executed now: of this mode, and in a page that is in the code segment whole. */
	readonly isKnown: Int<'i32'>;
	/** Its first record; read it where there is one. */
	readonly record: Int<'i32'>;
	/** Linear address of its page, and that as an offset in the code segment. */
	readonly page: Int<'i64'>;
	readonly pageOffset: Int<'i64'>;
}

/**
 * Looks for the block at an address in the code segment, also among those that others have displaced.
 * @param isFlat - in 64-bit code, whose segment has neither base nor limit
 */
export function cachedBlock(
	f: FunctionBuilder,
	state: Memory<'i32'>,
	address: Int<'i64'>,
	isFlat = false,
): CachedBlock {
	const codeBase = isFlat ? undefined : f.let(state.load('i64', 64, i32(0), segmentBaseAt(codeSegment)));
	const linear = codeBase === undefined ? address : f.let(address.add(codeBase));
	const modeKey = f.let(state.load('i32', 32, i32(0), CpuState.offset('modeKey')));
	const entry = f.let(
		linear
			.xor(linear.shrU(12))
			.toI32()
			.xor(modeKey)
			.and(jumpEntries - 1)
			.mul(jumpEntry.size)
			.add(memoryMap.jumps),
	);
	/** 0 where it is there: V8 makes less of this than of two comparisons. */
	const unlike = () =>
		state
			.load('i64', 64, entry, jumpEntry.key)
			.xor(linear)
			.or(state.load('i32', 32, entry, jumpEntry.mode).xor(modeKey).toI64U());
	const miss = f.let(unlike());
	f.ifUnlikely(miss.ne(0), () => {
		f.set(entry, entry.add(displacedJumps));
		f.set(miss, unlike());
	});
	const page = f.let(linear.and(~0xfffn));
	const pageOffset = codeBase === undefined ? page : f.let(page.sub(codeBase));
	const isFound = miss.eq(0);
	const limit = state.load('i64', 64, i32(0), CpuState.offset('codeLimit'));
	const isKnown = isFlat ? isFound : isFound.and(pageOffset.leS(limit));
	return {isKnown, record: state.load('i32', 32, entry, jumpEntry.record), page, pageOffset};
}

/** Says in which page code is from now on. */
export function enterPage(f: FunctionBuilder, state: Memory<'i32'>, page: Int<'i64'>, pageOffset: Int<'i64'>): void {
	f.store(state, 64, i32(0), CpuState.offset('codePage'), page);
	f.store(state, 64, i32(0), CpuState.offset('codePageOffset'), pageOffset);
}
