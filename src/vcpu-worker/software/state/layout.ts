import {CpuState, SegmentState, X87Register} from './cpu-state.ts';
import {MicroOp} from './micro-op.ts';

/** Layout of a processor's own memory, in bytes. */
export const memoryMap = {
	state: 0,
	/** Words that a block is decoded by, and the bytes of its page. */
	decoding: 0xe000,
	code: 0xe100,
	/** Entries of the TLB, by class of access and address space. */
	tlb: 0x1_0000,
	/** Blocks of code by linear address; behind them those that others have displaced. */
	jumps: 0x24_0000,
	/** For each translation, the first records of its blocks. */
	tables: 0x2c_0000,
	/** Steps of decoded blocks. */
	records: 0x4c_0000,
} as const;

/** Entries of the TLB, of which page number `n` uses `n % entries`. */
export const tlbEntries = 4096;
/**
 * An entry of the TLB: pages that may be read and written there; -1 for none. Pages are named by their linear address. The last two are marks:
 * the translation is not global, and the entry is on the list of those that may be such.
 */
export const tlbEntry = {readPage: 0, writePage: 8, addend: 16, isLocal: 24, isListed: 28, size: 32} as const;

/** Address spaces, by their PCID, of which the TLB and the cache of blocks have something at a time. Linux uses six. */
export const addressSpaces = 8;
/** Classes of accesses, each with entries of its own in the TLB: `supervisor` one for all address spaces, the others in each. */
export const AccessClass = {
	supervisor: 0,
	user: 1,
	/** Supervisor while EFLAGS.AC lifts SMAP. */
	lifted: 2,
} as const;
/** Bytes of a class's entries. */
export const tlbBytes: number = tlbEntries * tlbEntry.size;
/** The address of a class's entries in an address space, by its number here. */
export const tlbOf = (accessClass: number, space: number): number =>
	memoryMap.tlb + (accessClass === AccessClass.supervisor ? 0 : accessClass + 2 * space) * tlbBytes;

/** The address of entries of accesses at privileges 0 to 2, which have neither segments' exceptions nor AC. */
export const supervisorTlb: number = memoryMap.tlb;

/** Bits of the mode's key, see `CpuState.modeKey`: of 64-bit code, and of privilege 3, which has the address space's number above. */
export const longCode = 64;
export const userCode = 1;
export const spaceShift = 8;

/** Entries of the cache of blocks. */
export const jumpEntries = 16_384;
/**
 * An entry of it: linear address of the block, its first record, and the mode that it was decoded for, which is never 0 but where there
 * is none. The mode has a word of its own, since a program can jump to any 64 bits.
 */
export const jumpEntry = {key: 0, record: 8, mode: 12, size: 16} as const;
/** From an entry to the one for what it had before. */
export const displacedJumps: number = jumpEntries * jumpEntry.size;

/** Translations that there is room for at a time, and blocks of each. */
export const maxTranslations = 8192;
export const maxTableBlocks = 64;
/** Address of a translation's table: the addresses of its blocks' first records, 4 bytes each. */
export const tableAt = (translation: number): number => memoryMap.tables + translation * maxTableBlocks * 4;

/** The number of a translation, by that address. */
export const translationAt = (table: number): number => (table - memoryMap.tables) / (maxTableBlocks * 4);

/** Bits of an entry that are the number of its block; that of its page is behind them. */
export const blockBits = 8;
/** What a translation is given to begin at a block: its number, and that of its page. */
export const entryOf = (block: number, page: number): number => block | (page << blockBits);

/** Bits of what a translation is given, above which is the width of the subtraction that tells the flags, of `CpuState.lateFlags`; 0: their words do. */
export const entryBits = 16;

/** Bits of physical addresses. */
export const physicalAddressBits = 40;

/** Where the least normal numbers of both formats are, in all lanes. */
export const leastNormalAt = {
	f32x4: CpuState.offset('leastNormals'),
	f64x2: CpuState.offset('leastNormals') + 16,
} as const;

/** Places of fields, each of which is found by its name once. */
const general = CpuState.offset('general');
const vectors = CpuState.offset('vector256');
const x87Registers = CpuState.offset('x87');
const scratch = CpuState.offset('scratch');
const segmentBase = CpuState.offset('segments') + SegmentState.offset('base');
const selector = CpuState.offset('segments') + SegmentState.offset('selector');
const immediate = MicroOp.offset('immediate');
/** Address of a general register; its parts are at its first bytes. */
export const generalAt = (register: number): number => general + register * 8;
/** Address of AH, CH, DH or BH, which have the numbers 4 to 7. */
export const highByteAt = (register: number): number => general + (register - 4) * 8 + 1;
/** Address of an XMM register. */
export const vectorAt = (register: number): number => vectors + register * 32;
/** Address of an MMX register: the significand of the x87's of that number. */
export const mmxAt = (register: number): number => x87Registers + register * X87Register.size;
/** Address of a scratch slot; two that follow each other are one of 128 bits. */
export const scratchAt = (slot: number): number => scratch + slot * 8;
/** Where instructions keep what they have between their steps: of no meaning behind them. */
export const betweenSteps = {begin: scratchAt(0), end: CpuState.offset('address') + 8} as const;
/** The same, and what steps give to those who compute or access memory for them. */
export const withinSteps = {begin: scratchAt(0), end: CpuState.offset('fusesProducts')} as const;
export const segmentBaseAt = (segment: number): number => segmentBase + segment * SegmentState.size;
/** Address of a segment register's selector. */
export const selectorAt = (segment: number): number => selector + segment * SegmentState.size;
/** Address of the constant that a step has in itself. */
export const immediateAt = (record: number): number => record + immediate;

/** State components that there are, as bits of XCR0 (SDM volume 1, 13.1). */
export const Component = {x87: 1n, sse: 2n, avx: 4n, all: 7n} as const;
/** Bytes of the area of FXSAVE, which is also the first part of XSAVE's, and of the latter with its header. */
export const fxAreaBytes = 512;
export const xsaveHeaderEnd = 576;
/** The upper halves of YMM registers behind them, in the compacted format too: no other component could lie before. */
export const ymmArea = {start: xsaveHeaderEnd, bytes: 256} as const;
export const xsaveAreaBytes: number = ymmArea.start + ymmArea.bytes;
