import {noExecute as NX, PageFault, physicalAddressBits, reservedHigh, TableEntry} from '#vcpu-worker/software/state';
import type {PhysicalMemory} from './physical-memory.ts';

/** State that a walk depends on (SDM volume 3, 4.1). */
export interface PagingMode {
	/** Levels of tables: 0 without paging, 2 for 32-bit paging, 3 for PAE, 4 and 5. */
	readonly levels: 0 | 2 | 3 | 4 | 5;
	/** Physical address of the first table. */
	readonly root: number;
	/** CR4.PSE: 4 MiB pages of 32-bit paging. */
	readonly hasLargePages: boolean;
	/** CR0.WP, CR4.SMEP, CR4.SMAP, EFER.NXE. */
	readonly protectsSupervisor: boolean;
	readonly smep: boolean;
	readonly smap: boolean;
	readonly nx: boolean;
	/** CR4.PGE. */
	readonly hasGlobalPages: boolean;
	/** Number of the address space: 0 where CR4.PCIDE is clear (SDM volume 3, 4.10.1). */
	readonly pcid: number;
}

/** An access, and the rights of its maker. */
export interface Access {
	readonly kind: 'read' | 'write' | 'fetch';
	/** At privilege 3, and not for a descriptor table or the like. */
	readonly isUser: boolean;
	/** EFLAGS.AC lifts SMAP for explicit accesses. */
	readonly acIsSet: boolean;
}

/** Translation of a linear address. */
export interface Translation {
	/** Physical address of the 4 KiB page. */
	readonly page: number;
	/** Stores may go there without another walk: it is writable for this access, and marked dirty. */
	readonly isWritable: boolean;
	/** It outlasts loads of CR3. */
	readonly isGlobal: boolean;
	/** Bits of an offset in the page that tables name, which may be larger than 4 KiB. */
	readonly sizeBits: number;
}

const {present: P, write: RW, user: US, accessed: A, dirty: D, large: PS, global: G} = TableEntry;

/** What entries of a walk give together: RW, US, and execution as NX, which an entry takes away. */
const everyRight = RW | US | NX;

/** An address of a table entry in the high half of a 64-bit one. */
const highAddress = (word: number): number => word & ((1 << (physicalAddressBits - 32)) - 1);

/**
 * Walks the page tables, and marks entries accessed and dirty by compare-exchange.
 * @param low - low half of the linear address
 * @param high - its high half
 * @returns the translation, or the error code of a page fault
 */
export function walk(
	memory: PhysicalMemory,
	mode: PagingMode,
	access: Access,
	low: number,
	high: number,
): Translation | number {
	if (mode.levels === 0) return {page: (low & ~0xfff) >>> 0, isWritable: true, isGlobal: false, sizeBits: 12};
	for (;;) {
		const result = mode.levels === 2 ? walk32(memory, mode, access, low) : walk64(memory, mode, access, low, high);
		if (result !== undefined) return result;
	}
}

/** Walks tables of 64-bit entries; undefined when an entry has changed meanwhile. */
function walk64(
	memory: PhysicalMemory,
	mode: PagingMode,
	access: Access,
	low: number,
	high: number,
): Translation | number | undefined {
	const {levels} = mode;
	let [rights, table]: [number, number] = [everyRight, mode.root];
	for (let level: number = levels; ; level--) {
		const index = levels === 3 && level === 3 ? low >>> 30 : indexAt(level, low, high);
		const at = table + index * 8;
		const entry = memory.word(at);
		const entryHigh = memory.word(at + 4);
		if ((entry & P) === 0) return errorCode(mode, access, 0);
		// Halves of one entry.
		if (memory.word(at) !== entry) return undefined;
		// The four entries of the first table of PAE have no rights and no bit for large pages (SDM volume 3, 4.4.1).
		const isPointer = levels === 3 && level === 3;
		const isLeaf = level === 1 || (!isPointer && (entry & PS) !== 0);
		const sizeBits = 12 + (level - 1) * 9;
		if (hasReservedBits(mode, entry, entryHigh, level, isLeaf, isPointer))
			return errorCode(mode, access, P | PageFault.reserved);
		if (!isPointer) {
			rights &= entry | NX;
			if (mode.nx && (entryHigh & NX) !== 0) rights &= ~NX;
		}
		if (!isLeaf) {
			if (!isPointer && (entry & A) === 0 && !memory.setBits(at, entry, A)) return undefined;
			table = highAddress(entryHigh) * 2 ** 32 + ((entry & ~0xfff) >>> 0);
			continue;
		}
		if (!isAllowed(mode, access, rights)) return errorCode(mode, access, P);
		const wanted = access.kind === 'write' ? A | D : A;
		if ((entry & wanted) !== wanted && !memory.setBits(at, entry, wanted)) return undefined;
		// A large page's address leaves out the bits that the linear address gives.
		const inPage = 2 ** sizeBits;
		const base = highAddress(entryHigh) * 2 ** 32 + ((entry & ~0xfff) >>> 0);
		const offset = inPage === 4096 ? 0 : (low & (inPage - 4096)) >>> 0;
		const page = base - (base % inPage) + offset;
		const isWritable = mayWrite(mode, access, rights) && ((entry | wanted) & D) !== 0;
		return {page, isWritable, isGlobal: mode.hasGlobalPages && (entry & G) !== 0, sizeBits};
	}
}

/** Walks tables of 32-bit entries. */
function walk32(
	memory: PhysicalMemory,
	mode: PagingMode,
	access: Access,
	low: number,
): Translation | number | undefined {
	let [rights, table]: [number, number] = [everyRight, mode.root];
	for (let level = 2; ; level--) {
		const at = table + (level === 2 ? low >>> 22 : (low >>> 12) & 0x3ff) * 4;
		const entry = memory.word(at);
		if ((entry & P) === 0) return errorCode(mode, access, 0);
		const isLarge = level === 2 && mode.hasLargePages && (entry & PS) !== 0;
		// Bits 13 to 20 are bits 32 to 39 of a large page's address; 21 is reserved (SDM volume 3, table 4-4).
		if (isLarge && (entry & (1 << 21)) !== 0) return errorCode(mode, access, P | PageFault.reserved);
		rights &= entry | NX;
		if (level === 2 && !isLarge) {
			if ((entry & A) === 0 && !memory.setBits(at, entry, A)) return undefined;
			table = (entry & ~0xfff) >>> 0;
			continue;
		}
		if (!isAllowed(mode, access, rights)) return errorCode(mode, access, P);
		const wanted = access.kind === 'write' ? A | D : A;
		if ((entry & wanted) !== wanted && !memory.setBits(at, entry, wanted)) return undefined;
		const page = isLarge
			? ((entry >>> 13) & 0xff) * 2 ** 32 + (((entry & 0xffc0_0000) | (low & 0x003f_f000)) >>> 0)
			: (entry & ~0xfff) >>> 0;
		const isWritable = mayWrite(mode, access, rights) && ((entry | wanted) & D) !== 0;
		return {page, isWritable, isGlobal: mode.hasGlobalPages && (entry & G) !== 0, sizeBits: isLarge ? 22 : 12};
	}
}

/** Tells whether one of the four entries of PAE's first table has reserved bits set (SDM volume 3, 4.4.1). */
export function hasReservedPointers(memory: PhysicalMemory, mode: PagingMode, root: number): boolean {
	for (let index = 0; index < 4; index++) {
		const whole = memory.quad(root + index * 8);
		const [entry, high] = [Number(BigInt.asIntN(32, whole)), Number(BigInt.asIntN(32, whole >> 32n))];
		if ((entry & P) !== 0 && hasReservedBits(mode, entry, high, 3, false, true)) return true;
	}
	return false;
}

/** Index in the table of a level: nine bits of the linear address. */
function indexAt(level: number, low: number, high: number): number {
	if (level === 1) return (low >>> 12) & 0x1ff;
	if (level === 2) return (low >>> 21) & 0x1ff;
	if (level === 3) return (low >>> 30) | ((high & 0x7f) << 2);
	return (high >>> (level === 4 ? 7 : 16)) & 0x1ff;
}

function hasReservedBits(
	mode: PagingMode,
	entry: number,
	high: number,
	level: number,
	isLeaf: boolean,
	isPointer: boolean,
): boolean {
	if ((high & reservedHigh) !== 0) return true;
	if (isPointer) return (entry & 0x1e6) !== 0 || (high & ~highAddress(high)) !== 0;
	if (mode.levels === 3 && (high & 0x7ff0_0000) !== 0) return true;
	if (!mode.nx && (high & NX) !== 0) return true;
	// Large pages exist on levels 2 and 3; bit 12 of theirs is PAT, those above are the address.
	if (level >= 4) return (entry & PS) !== 0;
	if (!isLeaf || level === 1) return false;
	return (entry & (2 ** (12 + (level - 1) * 9) - 1) & ~0x1fff) !== 0;
}

function isAllowed(mode: PagingMode, access: Access, rights: number): boolean {
	const {kind, isUser} = access;
	const isUsers = (rights & US) !== 0;
	if (isUser && !isUsers) return false;
	if (kind === 'fetch') return (rights & NX) !== 0 && !(mode.smep && !isUser && isUsers);
	if (mode.smap && !isUser && isUsers && !access.acIsSet) return false;
	return kind === 'read' || mayWrite(mode, access, rights);
}

const mayWrite = (mode: PagingMode, access: Access, rights: number): boolean =>
	(rights & RW) !== 0 || (!access.isUser && !mode.protectsSupervisor);

function errorCode(mode: PagingMode, {kind, isUser}: Access, bits: number): number {
	const fetch = kind === 'fetch' && ((mode.nx && mode.levels > 2) || mode.smep) ? PageFault.fetch : 0;
	return bits | (kind === 'write' ? PageFault.write : 0) | (isUser ? PageFault.user : 0) | fetch;
}
