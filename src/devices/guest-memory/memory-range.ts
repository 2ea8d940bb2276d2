import type {SharedMemory} from '#support/shared-memory';
import type {PageWatchHandle} from './page-watch.ts';

/** A range of guest-physical addresses backed by RAM. */
export interface MemoryRange {
	/** First guest-physical address, page aligned. */
	readonly gpa: number;
	/** Length in bytes, a multiple of the page size. */
	readonly length: number;
}

/** A range of guest RAM and the host memory under it: plain data that structured clone can copy. */
export interface MappedRange extends MemoryRange {
	/** The memory that holds the range; `WebAssembly` code can import it. */
	readonly memory: SharedMemory;
	/** Offset of the range in {@link memory}, page aligned. */
	readonly offset: number;
	/** Host address of the range's first byte, valid on every thread of the process. Below 2^47, so that a number holds it. */
	readonly hostAddress: number;
	/** How its pages go back to the host; without it they do not. */
	readonly discards?: DiscardWay;
	/** State of the range's pages that all threads share; see `PageLedger`. */
	readonly ledger: LedgerPlace;
}

/**
 * What becomes of a page that is given back to the host, madvise(2): `zeros` of a private one (MADV_DONTNEED), `hole` in what lies under it, and zeros
 * (MADV_REMOVE), or `contents` of what lies under a private copy (MADV_DONTNEED).
 */
export type DiscardWay = 'zeros' | 'hole' | 'contents';

/** Place of the words about a range's pages. */
export interface LedgerPlace {
	readonly memory: SharedMemory;
	/** A multiple of 64. */
	readonly offset: number;
}

/** A machine's memory as a thread gets it to attach to: plain data that structured clone can copy. */
export interface MemoryHandle {
	/** Ascending, not overlapping. */
	readonly ranges: readonly MappedRange[];
	/** The clock of all page generations; see `PageClock`. */
	readonly clock: SharedArrayBuffer;
	/** Tells processors of writes to what they remember, where a back end needs that. */
	readonly watch?: PageWatchHandle;
}
