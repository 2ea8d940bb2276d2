import type {GuestMemory} from '#devices/guest-memory';
import {type OrcTables, readOrcTables} from './orc-tables.ts';
import type {CodeSymbol} from './symbol-table.ts';

/** A Linux kernel, as it says of itself in its memory. */
export interface GuestKernel {
	/** Address of the beginning of its code, which it chooses anew at each start (KASLR). */
	readonly stext: bigint;
	/** Symbols of its code; empty where it does not say where they are (before Linux 6.0), or they make no sense. */
	readonly symbols: readonly CodeSymbol[];
	/** How its code uses the stack, where it has that in its memory. */
	readonly orc?: OrcTables;
}

/** A kernel's image begins here, but for KASLR (Documentation/arch/x86/x86_64/mm.rst). */
const imageBase = 0xffff_ffff_8000_0000n;
/** Bounds on what a guest says: several times what a kernel with all its drivers has. */
const most = {symbols: 2 ** 20, namesBytes: 2 ** 24, nameLength: 512, namesLength: 2 ** 25} as const;
const tokens = 256;
const tokenTableBytes = 2 ** 13;
const codeTypes = new Set(['t', 'T', 'w', 'W']);

/**
 * Reads a kernel's own table of symbols (kernel/kallsyms.c, scripts/kallsyms.c), whose place VMCOREINFO tells.
 * @param notes - VMCOREINFO
 * @returns undefined where the text does not even say where the kernel's code is. A guest that lies misleads its own profile.
 */
export function readGuestKernel(memory: GuestMemory, notes: string): GuestKernel | undefined {
	const symbolAt = (name: string) => numberOf(notes, `SYMBOL(${name})`, 16);
	const stext = symbolAt('_stext');
	if (stext === undefined) return undefined;
	return {stext, ...(readTable(memory, notes, symbolAt, stext) ?? {symbols: []})};
}

function numberOf(notes: string, key: string, radix: 10 | 16): bigint | undefined {
	const line = notes.split('\n').find((candidate) => candidate.startsWith(`${key}=`));
	const text = line?.slice(key.length + 1) ?? '';
	if (radix === 16) return /^[0-9a-f]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
	return /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
}

type AddressOf = (name: string) => bigint | undefined;

function readTable(
	memory: GuestMemory,
	notes: string,
	symbolAt: AddressOf,
	stext: bigint,
): Pick<GuestKernel, 'symbols' | 'orc'> | undefined {
	const moved = numberOf(notes, 'NUMBER(phys_base)', 10);
	if (moved === undefined) return undefined;
	/** Bytes of the kernel's image; fewer where memory ends, and none at what is no address of it. */
	const bytesOf = (address: bigint | undefined, length: number): Buffer => {
		const physical = address === undefined ? -1n : address - imageBase + moved;
		if (physical < 0n || physical > BigInt(Number.MAX_SAFE_INTEGER)) return Buffer.alloc(0);
		const bytes = Buffer.alloc(length);
		const pageBytes = 4096;
		for (let done = 0; done < length; done += pageBytes) {
			const count = Math.min(pageBytes, length - done);
			if (!memory.copyOut(Number(physical) + done, bytes, done, count)) return bytes.subarray(0, done);
		}
		return bytes;
	};
	const bytesAt = (name: string, length: number) => bytesOf(symbolAt(name), length);
	const [countBytes, baseBytes] = [bytesAt('kallsyms_num_syms', 4), bytesAt('kallsyms_relative_base', 8)];
	if (countBytes.length < 4 || baseBytes.length < 8) return undefined;
	const count = countBytes.readUInt32LE();
	const offsets = count > most.symbols ? Buffer.alloc(0) : bytesAt('kallsyms_offsets', count * 4);
	if (count === 0 || offsets.length < count * 4) return undefined;
	const names = namesIn(bytesAt('kallsyms_names', most.namesBytes), count, tokensIn(bytesAt));
	const base = baseBytes.readBigUInt64LE();
	// Kernels differ in what a positive offset means: the right one has the symbol that is known where it is.
	for (const addressAt of addressing) {
		const symbols = symbolsIn(names, (index) => addressAt(base, offsets.readInt32LE(index * 4)));
		const known = new Map(symbols.map(({name, address}) => [name, address]));
		if (known.get('_stext') !== stext) continue;
		const code = symbols.filter(({isCode}) => isCode);
		const orc = readOrcTables(stext, (name) => known.get(name), bytesOf);
		return {symbols: code.map(({name, address}) => ({name, address, size: 0})), ...(orc !== undefined && {orc})};
	}
	return undefined;
}

/** Address for an offset: with per-processor symbols, which have absolute ones, and without (since Linux 6.15). */
const addressing: readonly ((base: bigint, offset: number) => bigint)[] = [
	(base, offset) => BigInt.asUintN(64, offset < 0 ? base - 1n - BigInt(offset) : BigInt(offset)),
	(base, offset) => BigInt.asUintN(64, base + BigInt(offset >>> 0)),
];

/** Pieces of names, of which each byte of a name stands for one. */
function tokensIn(bytesAt: (name: string, length: number) => Buffer): readonly string[] {
	const index = bytesAt('kallsyms_token_index', tokens * 2);
	const table = bytesAt('kallsyms_token_table', tokenTableBytes);
	if (index.length < tokens * 2) return [];
	return Array.from({length: tokens}, (_, token) => {
		const start = index.readUInt16LE(token * 2);
		const end = table.indexOf(0, start);
		// No longer than a name, since what is cut from a string keeps all of it in memory.
		return start < table.length && end >= 0
			? table.toString('latin1', start, Math.min(end, start + most.nameLength))
			: '';
	});
}

/** Names with their types in front, as far as they go and are believed: each has its length in one byte, or two for a long one. */
function namesIn(bytes: Buffer, count: number, pieces: readonly string[]): readonly string[] {
	const names: string[] = [];
	let total = 0;
	for (let at = 0; names.length < count && total < most.namesLength; ) {
		const first = bytes[at++];
		if (first === undefined) break;
		const length = first < 0x80 ? first : (first & 0x7f) | ((bytes[at++] ?? 0) << 7);
		let name = '';
		for (let index = 0; index < length && name.length <= most.nameLength; index++)
			name += pieces[bytes[at + index] ?? 0];
		names.push(name.slice(0, most.nameLength));
		total += name.length;
		at += length;
	}
	return names;
}

function symbolsIn(names: readonly string[], addressAt: (index: number) => bigint) {
	return names.map((name, index) => ({
		name: name.slice(1),
		isCode: codeTypes.has(name.charAt(0)),
		address: addressAt(index),
	}));
}
