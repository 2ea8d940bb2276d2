import type {MemoryRange} from '#devices/guest-memory';
import {concatBytes, packedRecord} from '#main/acpi/packed-record';

const elfHeader = packedRecord([
	['ident', 0, 16],
	['type', 16, 2],
	['machine', 18, 2],
	['version', 20, 4],
	['entry', 24, 8],
	['programHeaders', 32, 8],
	['sectionHeaders', 40, 8],
	['flags', 48, 4],
	['headerBytes', 52, 2],
	['programHeaderBytes', 54, 2],
	['programHeaderCount', 56, 2],
	['sectionHeaderBytes', 58, 2],
	['sectionHeaderCount', 60, 2],
	['sectionNames', 62, 2],
]);

const programHeader = packedRecord([
	['type', 0, 4],
	['flags', 4, 4],
	['offset', 8, 8],
	['virtualAddress', 16, 8],
	['physicalAddress', 24, 8],
	['fileBytes', 32, 8],
	['memoryBytes', 40, 8],
	['align', 48, 8],
]);

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
	/** Where the first range lies; the others follow it. */
	readonly ramOffset: number;
	readonly ranges: readonly PlacedRange[];
	readonly fileBytes: number;
	/** The bytes before the notes. */
	header(noteBytes: number): Uint8Array;
}

/** Lays a core file out. Readers want the notes before memory. @param maxNoteBytes - room for the notes */
export function layOutCore(ram: readonly MemoryRange[], maxNoteBytes: number): CoreLayout {
	const whole = joined(ram);
	const notesOffset = elfHeader.length + (whole.length + 1) * programHeader.length;
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
				...{ident, type: coreType, machine: x86_64, version: 1, headerBytes: elfHeader.length},
				...{programHeaders: elfHeader.length, programHeaderBytes: programHeader.length},
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
