import {sparse, u16, u32, u64} from '#support/wire';

/** One segment of a made-up ELF file. */
export interface SegmentSpec {
	/** Defaults to PT_LOAD. */
	readonly type?: number;
	readonly physical: number;
	/** Defaults to `physical`. */
	readonly virtual?: number;
	readonly data: Uint8Array;
	/** Defaults to the size of the data. */
	readonly memorySize?: number;
}

/** A made-up ELF file; what is left out is that of a sound x86-64 executable. */
export interface ElfSpec {
	readonly bits?: 32 | 64;
	readonly machine?: number;
	readonly type?: number;
	readonly entry?: number;
	readonly segments?: readonly SegmentSpec[];
}

/** Written from the gABI on purpose, not taken from the reader under test. */
const header32 = sparse('header32', {
	type: u16.at(16),
	machine: u16.at(18),
	version: u32.at(20),
	entry: u32.at(24),
	phoff: u32.at(28),
	ehsize: u16.at(40),
	phentsize: u16.at(42),
	phnum: u16.at(44),
});
const header64 = sparse('header64', {
	type: u16.at(16),
	machine: u16.at(18),
	version: u32.at(20),
	entry: u64.at(24),
	phoff: u64.at(32),
	ehsize: u16.at(52),
	phentsize: u16.at(54),
	phnum: u16.at(56),
});
const segment32 = sparse('segment32', {
	type: u32.at(0),
	offset: u32.at(4),
	virtual: u32.at(8),
	physical: u32.at(12),
	filesz: u32.at(16),
	memsz: u32.at(20),
	align: u32.at(28),
});
const segment64 = sparse('segment64', {
	type: u32.at(0),
	offset: u64.at(8),
	virtual: u64.at(16),
	physical: u64.at(24),
	filesz: u64.at(32),
	memsz: u64.at(40),
	align: u64.at(48),
});

/** The bytes of an ELF file: header, program headers, then the segments' data one after the other. */
export function makeElf(spec: ElfSpec = {}): Uint8Array {
	const {bits = 64, machine = bits === 64 ? 62 : 3, type = 2, entry = 0x100000} = spec;
	const {segments = [{physical: 0x100000, data: new Uint8Array(0x1000).fill(0x90), memorySize: 0x3000}]} = spec;
	const [header, segment] = bits === 64 ? [header64, segment64] : [header32, segment32];
	const [ehsize, phentsize] = bits === 64 ? [64, 56] : [52, 32];
	const dataStart = ehsize + segments.length * phentsize;
	const bytes = new Uint8Array(segments.reduce((sum, {data}) => sum + data.length, dataStart));
	bytes.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
	header.patch(bytes, 0, {
		...{type, machine, version: 1, entry, phoff: ehsize, ehsize, phentsize, phnum: segments.length},
	});
	let offset = dataStart;
	for (const [
		index,
		{type: kind = 1, physical, virtual = physical, data, memorySize = data.length},
	] of segments.entries()) {
		const [filesz, memsz] = [data.length, memorySize];
		segment.patch(bytes, ehsize + index * phentsize, {
			...{type: kind, offset, virtual, physical, filesz, memsz, align: 4},
		});
		bytes.set(data, offset);
		offset += filesz;
	}
	return bytes;
}

/** A PT_NOTE segment with one note; by default Xen's that names a 32-bit entry point. */
export function pvhNote(entry: number, owner = 'Xen', type = 18): SegmentSpec {
	const name = new TextEncoder().encode(`${owner}\0`);
	const data = new Uint8Array(12 + Math.ceil(name.length / 4) * 4 + 4);
	const view = new DataView(data.buffer);
	view.setUint32(0, name.length, true);
	view.setUint32(4, 4, true);
	view.setUint32(8, type, true);
	data.set(name, 12);
	view.setUint32(data.length - 4, entry, true);
	return {type: 4, physical: 0, data};
}
