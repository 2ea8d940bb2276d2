import {concatBytes, sparse, u8, u16, u32, u64} from '#support/wire';

/** One symbol of a made-up ELF file. */
export interface SymbolSpec {
	readonly name: string;
	readonly value: bigint;
	readonly size?: bigint;
	/** STT_FUNC without it. */
	readonly type?: number;
	/** The section with code without it. */
	readonly section?: number;
}

/** Written from the gABI on purpose, not taken from the reader under test. */
const header = sparse('header', {
	magic: u32.at(0),
	class: u8.at(4),
	data: u8.at(5),
	shoff: u64.at(40),
	shentsize: u16.at(58),
	shnum: u16.at(60),
});
const section = sparse('section', {
	type: u32.at(4),
	flags: u64.at(8),
	offset: u64.at(24),
	bytes: u64.at(32),
	link: u32.at(40),
	entryBytes: u64.at(56),
});
const entry = sparse('entry', {
	name: u32.at(0),
	info: u8.at(4),
	section: u16.at(6),
	value: u64.at(8),
	bytes: u64.at(16),
});

const [headerBytes, sectionBytes, entryBytes] = [64, 64, 24];
/** Numbers of the sections: none, code, data, symbols, their names. */
export const sections = {code: 1, data: 2, symbols: 3, names: 4} as const;

/** An ELF file that has nothing but symbols. */
export function makeSymbolFile(symbols: readonly SymbolSpec[], tableType = 2): Uint8Array {
	const names = Buffer.from(`\0${symbols.map(({name}) => `${name}\0`).join('')}`);
	const table = new DataView(new ArrayBuffer(symbols.length * entryBytes));
	let nameAt = 1;
	for (const [index, {name, value, size = 0n, type = 2, section: of = sections.code}] of symbols.entries()) {
		entry.write(table, index * entryBytes, {name: nameAt, info: 0x10 | type, section: of, value, bytes: size});
		nameAt += name.length + 1;
	}
	const head = new DataView(new ArrayBuffer(headerBytes + 5 * sectionBytes));
	header.write(head, 0, {
		magic: 0x464c_457f,
		class: 2,
		data: 1,
		shoff: BigInt(headerBytes),
		shentsize: sectionBytes,
		shnum: 5,
	});
	const at = (number: number) => headerBytes + number * sectionBytes;
	section.write(head, at(sections.code), {type: 1, flags: 6n});
	section.write(head, at(sections.data), {type: 1, flags: 3n});
	const [tableAt, bytes] = [head.byteLength, table.byteLength];
	const link = sections.names;
	const sizes = {offset: BigInt(tableAt), bytes: BigInt(bytes), entryBytes: BigInt(entryBytes)};
	section.write(head, at(sections.symbols), {type: tableType, link, ...sizes});
	section.write(head, at(sections.names), {type: 3, offset: BigInt(tableAt + bytes), bytes: BigInt(names.length)});
	return concatBytes(new Uint8Array(head.buffer), new Uint8Array(table.buffer), names);
}
