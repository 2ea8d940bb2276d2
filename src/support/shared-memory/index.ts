export {ByteRing, ringFields} from './byte-ring.ts';
export {lock, lockPatienceMs, tryLock, unlock} from './lock.ts';
export {
	allocateSharedMemory,
	allocateSharedPages,
	allocateSmallMemory,
	maxSharedPages,
	type SharedMemory,
	sharedPageSize,
} from './page-memory.ts';
export {processCount} from './process-count.ts';
export {beginChange, endChange, isSame, sequence} from './seqlock.ts';
