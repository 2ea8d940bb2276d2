import type {MemoryRange} from '#devices/guest-memory';
import {bytes, concatBytes, u16, u32, u64, wire} from '#support/wire';

const elfHeader = wire('ELF header', {
	ident: bytes(16).at(0),
	type: u16.at(16),
	machine: u16.at(18),
	version: u32.at(20),
	entry: u64.at(24),
	programHeaders: u64.at(32),
	sectionHeaders: u64.at(40),
	flags: u32.at(48),
	headerBytes: u16.at(52),
	programHeaderBytes: u16.at(54),
	programHeaderCount: u16.at(56),
	sectionHeaderBytes: u16.at(58),
	sectionHeaderCount: u16.at(60),
	sectionNames: u16.at(62),
}).sized(64);

const programHeader = wire('ELF program header', {
	type: u32.at(0),
	flags: u32.at(4),
	offset: u64.at(8),
	virtualAddress: u64.at(16),
	physicalAddress: u64.at(24),
	fileBytes: u64.at(32),
	memoryBytes: u64.at(40),
	align: u64.at(48),
}).sized(56);

/** 64-bit, little-endian, version 1. */
const ident = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1);
const [coreType, x86_64] = [4, 62];
const segmentType = {load: 1, note: 4} as const;
const pageBytes = 4096;

/** A range of guest RAM, and where it lies in the file. */
export interface PlacedRange extends MemoryRange {
	readonly offset: number;
}

/** An ELF core file (gABI; core(5)): headers, notes, and RAM by its physical addresses. */
export interface CoreLayout {
	readonly notesOffset: number;
	/** File offset of the first range; the others follow it. */
	readonly ramOffset: number;
	readonly ranges: readonly PlacedRange[];
	readonly fileBytes: number;
	/** The bytes before the notes. */
	header(noteBytes: number): Uint8Array;
}

/** Lays a core file out. Readers want the notes before memory. @param maxNoteBytes - room for the notes */
export function layOutCore(ram: readonly MemoryRange[], maxNoteBytes: number): CoreLayout {
	const whole = joined(ram);
	const notesOffset = elfHeader.size + (whole.length + 1) * programHeader.size;
	const ramOffset = Math.ceil((notesOffset + maxNoteBytes) / pageBytes) * pageBytes;
	let end = ramOffset;
	const ranges = whole.map((range) => {
		const placed = {...range, offset: end};
		end += range.length;
		return placed;
	});
	const header = (noteBytes: number) =>
		concatBytes(
			elfHeader.encode({
				...{ident, type: coreType, machine: x86_64, version: 1, headerBytes: elfHeader.size},
				...{programHeaders: elfHeader.size, programHeaderBytes: programHeader.size},
				programHeaderCount: ranges.length + 1,
			}),
			programHeader.encode({type: segmentType.note, offset: notesOffset, fileBytes: noteBytes, memoryBytes: noteBytes}),
			...ranges.map(loadHeader),
		);
	return {notesOffset, ramOffset, ranges, fileBytes: end, header};
}

/** Physical addresses stand in for virtual ones too: there is no one address space to show. */
function loadHeader({gpa, length, offset}: PlacedRange): Uint8Array {
	const addresses = {virtualAddress: gpa, physicalAddress: gpa};
	return programHeader.encode({type: segmentType.load, offset, ...addresses, fileBytes: length, memoryBytes: length});
}

/** Large RAM is in several pieces of host memory, which are no concern of a reader. */
function joined(ram: readonly MemoryRange[]): MemoryRange[] {
	const ranges: MemoryRange[] = [];
	for (const {gpa, length} of ram) {
		const last = ranges.at(-1);
		if (last !== undefined && last.gpa + last.length === gpa) {
			ranges[ranges.length - 1] = {gpa: last.gpa, length: last.length + length};
		} else ranges.push({gpa, length});
	}
	return ranges;
}
