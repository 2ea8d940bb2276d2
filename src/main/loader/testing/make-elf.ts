import {type Layout, writeFields} from '../fields.ts';

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
const header32: Layout = {
	type: [16, 2],
	machine: [18, 2],
	version: [20, 4],
	entry: [24, 4],
	phoff: [28, 4],
	ehsize: [40, 2],
	phentsize: [42, 2],
	phnum: [44, 2],
};
const header64: Layout = {
	type: [16, 2],
	machine: [18, 2],
	version: [20, 4],
	entry: [24, 8],
	phoff: [32, 8],
	ehsize: [52, 2],
	phentsize: [54, 2],
	phnum: [56, 2],
};
const segment32: Layout = {
	type: [0, 4],
	offset: [4, 4],
	virtual: [8, 4],
	physical: [12, 4],
	filesz: [16, 4],
	memsz: [20, 4],
	align: [28, 4],
};
const segment64: Layout = {
	type: [0, 4],
	offset: [8, 8],
	virtual: [16, 8],
	physical: [24, 8],
	filesz: [32, 8],
	memsz: [40, 8],
	align: [48, 8],
};

/** The bytes of an ELF file: header, program headers, then the segments' data one after the other. */
export function makeElf(spec: ElfSpec = {}): Uint8Array {
	const {bits = 64, machine = bits === 64 ? 62 : 3, type = 2, entry = 0x100000} = spec;
	const {segments = [{physical: 0x100000, data: new Uint8Array(0x1000).fill(0x90), memorySize: 0x3000}]} = spec;
	const [header, segment] = bits === 64 ? [header64, segment64] : [header32, segment32];
	const [ehsize, phentsize] = bits === 64 ? [64, 56] : [52, 32];
	const dataStart = ehsize + segments.length * phentsize;
	const bytes = new Uint8Array(segments.reduce((sum, {data}) => sum + data.length, dataStart));
	bytes.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
	writeFields(header, bytes, 0, {
		...{type, machine, version: 1, entry, phoff: ehsize, ehsize, phentsize, phnum: segments.length},
	});
	let offset = dataStart;
	for (const [
		index,
		{type: kind = 1, physical, virtual = physical, data, memorySize = data.length},
	] of segments.entries()) {
		const [filesz, memsz] = [data.length, memorySize];
		writeFields(segment, bytes, ehsize + index * phentsize, {
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
