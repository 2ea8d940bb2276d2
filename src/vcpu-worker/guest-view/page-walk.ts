import type {GuestMemory} from '#devices/guest-memory';
import type {SpecialRegisters} from '#devices/processor';
import {unchecked} from '#support/trust';

/** The registers that choose the page tables. */
export type PagingRegisters = Pick<SpecialRegisters, 'cr0' | 'cr3' | 'cr4' | 'efer'>;

const bit = (value: bigint, index: number): boolean => ((value >> BigInt(index)) & 1n) !== 0n;
const present = 0x1;
const large = 0x80;
const pageBytes = 0x1000;

/** A kind of page table: where a table's entries come from the linear address, and how wide they are. */
interface Tables {
	/** Lowest bit of the linear address that indexes each level, from the root down. */
	readonly shifts: readonly number[];
	/** Bits of each index. */
	readonly indexBits: number;
	readonly entryBytes: 4 | 8;
	/** Levels that may hold a page of their own, by their shift. */
	readonly largeShifts: readonly number[];
	/** Mask of the root's address in CR3. */
	readonly rootMask: bigint;
}

const legacy: Tables = {shifts: [22, 12], indexBits: 10, entryBytes: 4, largeShifts: [22], rootMask: 0xffff_f000n};
const pae: Tables = {shifts: [30, 21, 12], indexBits: 9, entryBytes: 8, largeShifts: [21], rootMask: 0xffff_ffe0n};
const wide = {indexBits: 9, entryBytes: 8, largeShifts: [30, 21], rootMask: 0xf_ffff_ffff_f000n} as const;
const fourLevel: Tables = {...wide, shifts: [39, 30, 21, 12]};
const fiveLevel: Tables = {...wide, shifts: [48, 39, 30, 21, 12]};

/**
 * Translates a linear address by the guest's page tables, whatever their permissions (Intel SDM vol. 3, chapter 4); undefined:
 * nowhere. Reads at most five entries, and only from RAM.
 */
export function walk(memory: GuestMemory, registers: PagingRegisters, linear: bigint): number | undefined {
	const {cr0, cr3, cr4, efer} = registers;
	const isLong = bit(efer, 10);
	if (!isLong && linear >= 2n ** 32n) return undefined;
	if (!bit(cr0, 31)) return Number(linear);
	if (isLong) {
		const tables = bit(cr4, 12) ? fiveLevel : fourLevel;
		return isCanonical(linear, tables) ? descend(memory, tables, cr3, linear) : undefined;
	}
	if (bit(cr4, 5)) return descend(memory, pae, cr3, linear);
	const largeShifts = bit(cr4, 4) ? legacy.largeShifts : [];
	return descend(memory, {...legacy, largeShifts}, cr3, linear);
}

function isCanonical(linear: bigint, {shifts}: Tables): boolean {
	const bits = (shifts[0] as number) + 9;
	return BigInt.asUintN(64, BigInt.asIntN(bits, linear)) === linear;
}

function descend(memory: GuestMemory, tables: Tables, cr3: bigint, linear: bigint): number | undefined {
	const {shifts, indexBits, entryBytes, largeShifts} = tables;
	let table = Number(cr3 & tables.rootMask);
	for (const shift of shifts) {
		const index = Number(BigInt.asUintN(indexBits, linear >> BigInt(shift)));
		const entry = readEntry(memory, table + index * entryBytes, entryBytes);
		if (entry === undefined || (entry.low & present) === 0) return undefined;
		const isLarge = (entry.low & large) !== 0 && largeShifts.includes(shift);
		if (isLarge || shift === 12) return pageBase(entry, shift, entryBytes) + Number(BigInt.asUintN(shift, linear));
		table = entry.high * 2 ** 32 + ((entry.low & -pageBytes) >>> 0);
	}
	return undefined;
}

interface Entry {
	readonly low: number;
	/** Address bits 32 to 51. */
	readonly high: number;
}

function readEntry(memory: GuestMemory, address: number, size: 4 | 8): Entry | undefined {
	// Any bits are an entry: it may lead anywhere, and what is there is looked up in its turn.
	if (size === 4) {
		const low = unchecked(memory.readU32(address));
		return low === undefined ? undefined : {low, high: 0};
	}
	const entry = unchecked(memory.readBigU64(address));
	return entry === undefined
		? undefined
		: {low: Number(entry & 0xffff_ffffn), high: Number((entry >> 32n) & 0xf_ffffn)};
}

function pageBase({low, high}: Entry, shift: number, entryBytes: 4 | 8): number {
	// A 4 MiB page has its address bits 32 to 39 in bits 13 to 20 (PSE-36).
	if (entryBytes === 4 && shift === 22) return ((low >>> 13) & 0xff) * 2 ** 32 + ((low & 0xffc0_0000) >>> 0);
	const base = BigInt(high) * 2n ** 32n + BigInt(low >>> 0);
	return Number((base >> BigInt(shift)) << BigInt(shift));
}
