import {reserved, u8, u16, u32, u64, wire} from '#support/wire';
import type {CodeSymbol} from './symbol-table.ts';

/** Reads bytes of a file at an offset: fewer where it ends. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/** Parts of an ELF file of 64 bits (ELF gABI, "ELF Header", "Section Header", "Symbol Table"). */
const ElfHeader = wire('ElfHeader', {
	magic: u32,
	class: u8,
	data: u8,
	ident: reserved(10),
	type: u16,
	machine: u16,
	version: u32,
	entry: u64,
	phoff: u64,
	shoff: u64.asNumber,
	flags: u32,
	ehsize: u16,
	phentsize: u16,
	phnum: u16,
	shentsize: u16,
	shnum: u16,
	shstrndx: u16,
}).sized(64);
const SectionHeader = wire('SectionHeader', {
	name: u32,
	type: u32,
	flags: u64,
	address: u64,
	offset: u64.asNumber,
	bytes: u64.asNumber,
	link: u32,
	info: u32,
	alignment: u64,
	entryBytes: u64.asNumber,
}).sized(64);
const SymbolEntry = wire('SymbolEntry', {
	name: u32,
	info: u8,
	other: u8,
	section: u16,
	value: u64,
	bytes: u64.asNumber,
}).sized(24);

const sectionType = {symtab: 2, dynsym: 11} as const;
/** STT_NOTYPE, which assembly leaves, STT_FUNC and STT_GNU_IFUNC. */
const codeTypes = new Set([0, 2, 10]);
const executable = 4n;
/** Numbers of sections from here on are none (SHN_LORESERVE). */
const firstReserved = 0xff00;

/** Most bytes of a table of symbols, and of their names: several times what a kernel with all its drivers has. */
const most = {symbols: 24 * 2 ** 22, names: 2 ** 28} as const;
const maxNameBytes = 4096;

/** True for the first bytes of an ELF file. */
export const isElf = (head: Uint8Array): boolean => Buffer.from(head.subarray(0, 4)).equals(Buffer.from('\x7fELF'));

/**
 * Reads the symbols of code of an ELF file of 64 bits: of `.symtab`, or of `.dynsym` where it has none.
 * @param problem - makes the error for what is wrong
 */
export function readElfSymbols(readAt: ReadAt, problem: (what: string) => Error): CodeSymbol[] {
	const whole = (offset: number, length: number, what: string): Uint8Array => {
		const bytes = Number.isSafeInteger(offset + length) ? readAt(offset, length) : new Uint8Array(0);
		if (bytes.length < length) throw problem(`${what} would be behind its end`);
		return bytes;
	};
	const header = ElfHeader.read(whole(0, ElfHeader.size, 'its header'));
	if (header.class !== 2 || header.data !== 1) throw problem('it is not an ELF file of 64 bits');
	if (header.shnum === 0) return [];
	if (header.shentsize !== SectionHeader.size) throw problem('its section headers are of another size');
	const headers = whole(header.shoff, header.shnum * SectionHeader.size, 'its section headers');
	const sections = Array.from({length: header.shnum}, (_, index) =>
		SectionHeader.read(headers, index * SectionHeader.size),
	);
	const ofType = (wanted: number) => sections.find(({type}) => type === wanted);
	const table = ofType(sectionType.symtab) ?? ofType(sectionType.dynsym);
	const names = table && sections[table.link];
	if (table === undefined || names === undefined) return [];
	if (table.entryBytes !== SymbolEntry.size) throw problem('its symbols are of another size');
	if (table.bytes > most.symbols || names.bytes > most.names) throw problem('it claims to have too many symbols');
	const entries = whole(table.offset, table.bytes, 'its symbols');
	const texts = Buffer.from(whole(names.offset, names.bytes, 'its names').buffer);
	const isCode = sections.map(({flags}) => (flags & executable) !== 0n);
	const symbols: CodeSymbol[] = [];
	let namesLength = 0;
	for (let at = 0; at + SymbolEntry.size <= entries.length; at += SymbolEntry.size) {
		const {name, info, section, value, bytes} = SymbolEntry.read(entries, at);
		if (section === 0 || section >= firstReserved || isCode[section] !== true || !codeTypes.has(info & 15)) continue;
		const text = nameAt(texts, name);
		if (text === undefined) continue;
		// Names may lie over each other.
		namesLength += text.length;
		if (namesLength > most.names) throw problem('its symbols claim to have longer names than there can be');
		symbols.push({address: value, size: Number.isSafeInteger(bytes) ? bytes : 0, name: text});
	}
	return symbols;
}

function nameAt(texts: Buffer, offset: number): string | undefined {
	// No further than a name goes: a damaged file may have no end of names at all.
	const length = texts.subarray(offset, offset + maxNameBytes + 1).indexOf(0);
	if (length <= 0) return undefined;
	const name = texts.toString('latin1', offset, offset + length);
	// Labels that an assembler has made up.
	return name.startsWith('.L') || name.startsWith('$') ? undefined : name;
}
