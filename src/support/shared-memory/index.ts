export {ByteRing, ringFields} from './byte-ring.ts';
export {lock, lockPatienceMs, unlock} from './lock.ts';
export {
	allocateSharedMemory,
	allocateSharedPages,
	maxSharedPages,
	type SharedMemory,
	sharedPageSize,
} from './page-memory.ts';
export {beginChange, endChange, isSame, sequence} from './seqlock.ts';
export {
	bytes,
	type Decoded,
	type Field,
	type Fields,
	type FixedArray,
	f64,
	i32,
	type Scalar,
	StructSchema,
	type StructView,
	sensitive,
	sharedStruct,
	u8,
	u16,
	u32,
	words,
} from './struct.ts';
