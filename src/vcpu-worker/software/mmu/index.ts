/** Memory management: page walks, the TLB's misses, devices in memory. */
export {
	type CodePages,
	type DeviceSpace,
	executeAlone,
	isCanonicalAddress,
	Mmu,
	type WatchedPages,
} from './mmu.ts';
export {PageJournal, type UnlikeByte} from './page-journal.ts';
export {type Access, type PagingMode, type Translation, walk} from './page-walk.ts';
export {linesIn, PhysicalMemory} from './physical-memory.ts';
