import {type FuncOf, i32, i64, type Memory, type ModuleBuilder} from '#support/wasm';
import {CpuState, SegmentState, Stop, segmentBaseAt} from '#vcpu-worker/software/state';

/** Bits of a segment's attributes (SDM volume 3, 3.4.5.1). */
const readableOrWritable = 2;
const expandDownOrConforming = 4;
const code = 8;
const nonSystem = 0x10;
const present = 0x80;
const big = 0x4000;
/** Vectors of exceptions. */
const stackFault = 12;
const generalProtection = 13;
const stackSegment = segmentBaseAt(2);

/**
 * Builds the function that finds the linear address of an operand outside of 64-bit code: place of the segment, offset, bytes, 1 for a
 * write. Where the segment's limit or type does not allow the access, it sets `stop`, `vector` and `errorCode` (SDM volume 3, 5.3 and 5.4).
 */
export function buildSegmentCheck(module: ModuleBuilder, state: Memory<'i32'>): FuncOf<'i64'> {
	const func = module.function({parameters: ['i32', 'i64', 'i32', 'i32'], result: 'i64'});
	const f = func.body;
	const [segment, offset, bytes, isWrite] = f.parameters;
	const attributes = f.let(state.load('i32', 16, segment, SegmentState.offset('attributes')));
	const limit = f.let(state.load('i64', 32, segment, SegmentState.offset('limit')));
	const last = f.let(offset.add(bytes.toI64U()).sub(1));
	const has = (bits: number) => attributes.and(bits).eq(bits);
	const isCode = f.let(has(code));
	const isUsable = has(present | nonSystem);
	// Data can be read always, code written never.
	const isAllowed = isWrite.select(
		isCode.xor(1).and(has(readableOrWritable)),
		isCode.xor(1).or(has(readableOrWritable)),
	);
	const top = has(big).select(i64(0xffff_ffffn), i64(0xffffn));
	const fits = isCode
		.xor(1)
		.and(has(expandDownOrConforming))
		.select(offset.gtU(limit).and(last.leU(top)), last.leU(limit));
	f.if(isUsable.and(isAllowed).and(fits), () =>
		f.return(state.load('i64', 64, segment, SegmentState.offset('base')).add(offset).and(0xffff_ffffn)),
	);
	const set = (name: 'stop' | 'vector' | 'errorCode', value: number) =>
		f.store(state, 32, i32(0), CpuState.offset(name), i32(value));
	f.store(
		state,
		32,
		i32(0),
		CpuState.offset('vector'),
		segment.eq(stackSegment).select(i32(stackFault), i32(generalProtection)),
	);
	set('errorCode', 0);
	set('stop', Stop.fault);
	f.return(i64(0));
	return func;
}
