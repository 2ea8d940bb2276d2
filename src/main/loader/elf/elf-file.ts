import {loaderError} from '../errors.ts';
import {has, type Layout, readBig, readNumber} from '../fields.ts';
import {elfMachine, machineName} from './machines.ts';

/** Program header types that a loader looks at (ELF gABI, "Program Header"). */
export const segmentType = {load: 1, interpreter: 3, note: 4} as const;

/** One program header, checked to lie inside the file when it is loaded. */
export interface ElfSegment {
	readonly type: number;
	/** Where its bytes are in the file. */
	readonly offset: number;
	readonly virtual: bigint;
	/** Physical address: where a loader puts it. */
	readonly physical: number;
	readonly fileSize: number;
	/** Size in memory; the part after the file's bytes is zero. */
	readonly memorySize: number;
	readonly alignment: number;
}

/** An x86 ELF executable. */
export interface ElfFile {
	readonly bits: 32 | 64;
	readonly entry: bigint;
	readonly segments: readonly ElfSegment[];
	/** The segments to load: non-empty, of non-zero size in memory. */
	readonly loads: readonly ElfSegment[];
}

const ident = {magic: 0x464c_457f, class32: 1, class64: 2, littleEndian: 1, size: 16} as const;
const identFields = {magic: [0, 4], class: [4, 1], data: [5, 1]} as const satisfies Layout;
const executableTypes: readonly number[] = [2, 3];
/** Linux has 5 program headers, the most elaborate kernels have a dozen. */
const maxSegments = 256;

/** Layouts of the file header and of a program header, by class (ELF gABI, figures 4-3 and 5-1). */
const classes = {
	32: {
		headerSize: 52,
		header: {type: [16, 2], machine: [18, 2], entry: [24, 4], phoff: [28, 4], phentsize: [42, 2], phnum: [44, 2]},
		segmentSize: 32,
		segment: {
			type: [0, 4],
			offset: [4, 4],
			virtual: [8, 4],
			physical: [12, 4],
			fileSize: [16, 4],
			memorySize: [20, 4],
			alignment: [28, 4],
		},
	},
	64: {
		headerSize: 64,
		header: {type: [16, 2], machine: [18, 2], entry: [24, 8], phoff: [32, 8], phentsize: [54, 2], phnum: [56, 2]},
		segmentSize: 56,
		segment: {
			type: [0, 4],
			offset: [8, 8],
			virtual: [16, 8],
			physical: [24, 8],
			fileSize: [32, 8],
			memorySize: [40, 8],
			alignment: [48, 8],
		},
	},
} as const satisfies Record<32 | 64, unknown>;

const truncated = (bytes: Uint8Array, promised: number) =>
	loaderError('KERNEL_TRUNCATED', {found: bytes.length, promised});
const invalid = (what: string) => loaderError('KERNEL_INVALID', {what});

/** True when the file begins as an ELF file. */
export function isElf(bytes: Uint8Array): boolean {
	return has(bytes, 0, 4) && readNumber(bytes, 0, identFields.magic) === ident.magic;
}

/**
 * Reads an ELF executable's headers, bounds-checked: afterwards every segment's bytes are known to be in the file.
 * @throws VmmError KERNEL_TRUNCATED, KERNEL_WRONG_ARCHITECTURE, KERNEL_UNRECOGNISED, KERNEL_INVALID
 */
export function readElf(bytes: Uint8Array): ElfFile {
	if (!has(bytes, 0, ident.size)) throw truncated(bytes, classes[64].headerSize);
	const bits = readNumber(bytes, 0, identFields.class) === ident.class32 ? 32 : 64;
	const {header, headerSize, segmentSize} = classes[bits];
	if (!has(bytes, 0, headerSize)) throw truncated(bytes, headerSize);
	if (readNumber(bytes, 0, identFields.data) !== ident.littleEndian) {
		throw loaderError('KERNEL_WRONG_ARCHITECTURE', {architecture: 'a big-endian kernel'});
	}
	const machine = readNumber(bytes, 0, header.machine);
	if (machine !== elfMachine.x86_64 && machine !== elfMachine.i386) {
		throw loaderError('KERNEL_WRONG_ARCHITECTURE', {architecture: machineName(machine)});
	}
	if (!executableTypes.includes(readNumber(bytes, 0, header.type))) {
		throw unrecognised('an ELF object file, kernel module or core dump, not an executable');
	}
	const count = readNumber(bytes, 0, header.phnum);
	const stride = readNumber(bytes, 0, header.phentsize);
	const start = readNumber(bytes, 0, header.phoff);
	if (count > maxSegments) throw invalid(`it has ${count} program headers, and at most ${maxSegments} are read`);
	if (count > 0 && stride < segmentSize) throw invalid(`its program headers have ${stride} bytes, not ${segmentSize}`);
	if (!has(bytes, start, count * stride)) throw truncated(bytes, start + count * stride);
	const segments = Array.from({length: count}, (_, index) => readSegment(bytes, bits, start + index * stride));
	return {bits, entry: readBig(bytes, 0, header.entry), segments, loads: checkedLoads(bytes, segments)};
}

const unrecognised = (found: string) => loaderError('KERNEL_UNRECOGNISED', {found});

function readSegment(bytes: Uint8Array, bits: 32 | 64, base: number): ElfSegment {
	const {segment} = classes[bits];
	return {
		type: readNumber(bytes, base, segment.type),
		offset: readNumber(bytes, base, segment.offset),
		virtual: readBig(bytes, base, segment.virtual),
		physical: readNumber(bytes, base, segment.physical),
		fileSize: readNumber(bytes, base, segment.fileSize),
		memorySize: readNumber(bytes, base, segment.memorySize),
		alignment: readNumber(bytes, base, segment.alignment),
	};
}

function checkedLoads(bytes: Uint8Array, segments: readonly ElfSegment[]): readonly ElfSegment[] {
	if (segments.some(({type}) => type === segmentType.interpreter)) {
		throw unrecognised('a program for an operating system, not a kernel');
	}
	const loads = segments.filter(({type, memorySize}) => type === segmentType.load && memorySize > 0);
	if (loads.length === 0) throw invalid('it has no loadable segment');
	const promised = Math.max(...loads.map(({offset, fileSize}) => offset + fileSize));
	if (promised > bytes.length) throw truncated(bytes, promised);
	const swollen = loads.find(({fileSize, memorySize}) => fileSize > memorySize);
	if (swollen) {
		throw invalid(`a segment has ${swollen.fileSize} bytes in the file and ${swollen.memorySize} in memory`);
	}
	return loads;
}
