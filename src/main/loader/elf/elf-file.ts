import {reserved, u8, u16, u32, u64, viewOf, wire} from '#support/wire';
import {loaderError} from '../errors.ts';
import {has} from '../ranges.ts';
import {elfMachine, machineName} from './machines.ts';

/** Program header types that a loader looks at (ELF gABI, "Program Header"). */
export const segmentType = {load: 1, interpreter: 3, note: 4} as const;

/** One program header, checked to lie inside the file when it is loaded. */
export interface ElfSegment {
	readonly type: number;
	/** Place of its bytes in the file. */
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

const ident = {magic: 0x464c_457f, class32: 1, littleEndian: 1, size: 16} as const;
/** Fields of a file header that do not depend on its class. */
const identFields = {magic: u32, class: u8, data: u8, version: u8, os: reserved(9), type: u16, machine: u16};
const executableTypes: readonly number[] = [2, 3];
/** Linux has 5 program headers, the most elaborate kernels have a dozen. */
const maxSegments = 256;

const counts = {ehsize: u16, phentsize: u16, phnum: u16, shentsize: u16, shnum: u16, shstrndx: u16};
/** Program and section headers' offsets; numbers, as files are not that large. */
const tables32 = {phoff: u32, shoff: u32};
const tables64 = {phoff: u64.asNumber, shoff: u64.asNumber};

/** The file header and a program header, by class. */
const classes = {
	32: {
		header: wire('Elf32_Ehdr', {
			...identFields,
			fileVersion: u32,
			entry: u32,
			...tables32,
			flags: u32,
			...counts,
		}).sized(52, 'ELF gABI, figure 4-3'),
		segment: wire('Elf32_Phdr', {
			type: u32,
			offset: u32,
			virtual: u32,
			physical: u32,
			fileSize: u32,
			memorySize: u32,
			flags: u32,
			alignment: u32,
		}).sized(32, 'ELF gABI, figure 5-1'),
	},
	64: {
		header: wire('Elf64_Ehdr', {
			...identFields,
			fileVersion: u32,
			entry: u64,
			...tables64,
			flags: u32,
			...counts,
		}).sized(64, 'ELF gABI, figure 4-3'),
		segment: wire('Elf64_Phdr', {
			type: u32,
			flags: u32,
			offset: u64.asNumber,
			virtual: u64,
			physical: u64.asNumber,
			fileSize: u64.asNumber,
			memorySize: u64.asNumber,
			alignment: u64.asNumber,
		}).sized(56, 'ELF gABI, figure 5-1'),
	},
} as const;

const truncated = (bytes: Uint8Array, promised: number) =>
	loaderError('KERNEL_TRUNCATED', {found: bytes.length, promised});
const invalid = (what: string) => loaderError('KERNEL_INVALID', {what});

/** True when the file begins as an ELF file. */
export function isElf(bytes: Uint8Array): boolean {
	return has(bytes, 0, 4) && classes[32].header.field.magic.get(viewOf(bytes)) === ident.magic;
}

/**
 * Reads an ELF executable's headers, bounds-checked: afterwards every segment's bytes are known to be in the file.
 * @throws VmmError KERNEL_TRUNCATED, KERNEL_WRONG_ARCHITECTURE, KERNEL_UNRECOGNISED, KERNEL_INVALID
 */
export function readElf(bytes: Uint8Array): ElfFile {
	if (!has(bytes, 0, ident.size)) throw truncated(bytes, classes[64].header.size);
	const bits = classes[32].header.field.class.get(viewOf(bytes)) === ident.class32 ? 32 : 64;
	const {header, segment} = classes[bits];
	if (!header.fits(bytes)) throw truncated(bytes, header.size);
	const {data, machine, type, entry, phnum: count, phentsize: stride, phoff: start} = header.read(bytes);
	if (data !== ident.littleEndian) {
		throw loaderError('KERNEL_WRONG_ARCHITECTURE', {architecture: 'a big-endian kernel'});
	}
	if (machine !== elfMachine.x86_64 && machine !== elfMachine.i386) {
		throw loaderError('KERNEL_WRONG_ARCHITECTURE', {architecture: machineName(machine)});
	}
	if (!executableTypes.includes(type)) {
		throw unrecognised('an ELF object file, kernel module or core dump, not an executable');
	}
	if (count > maxSegments) throw invalid(`it has ${count} program headers, and at most ${maxSegments} are read`);
	if (count > 0 && stride < segment.size) {
		throw invalid(`its program headers have ${stride} bytes, not ${segment.size}`);
	}
	if (!has(bytes, start, count * stride)) throw truncated(bytes, start + count * stride);
	const segments = Array.from({length: count}, (_, index): ElfSegment => {
		const {flags: _flags, ...fields} = segment.read(bytes, start + index * stride);
		return {...fields, virtual: BigInt(fields.virtual)};
	});
	return {bits, entry: BigInt(entry), segments, loads: checkedLoads(bytes, segments)};
}

const unrecognised = (found: string) => loaderError('KERNEL_UNRECOGNISED', {found});

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
