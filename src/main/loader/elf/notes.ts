import {type Layout, readNumber} from '../fields.ts';
import {type ElfFile, segmentType} from './elf-file.ts';

/** One ELF note (ELF gABI, "Note Section"). */
export interface ElfNote {
	/** Who defined its type, e.g. `Xen`. */
	readonly owner: string;
	readonly type: number;
	readonly descriptor: Uint8Array;
}

const noteHeader = {nameSize: [0, 4], descriptorSize: [4, 4], type: [8, 4]} as const satisfies Layout;
const headerSize = 12;
/** Linux has about a dozen. */
const maxNotes = 1024;

/** The file's notes, as far as they are well formed: a note is advice, so a broken one ends its segment's list. */
export function elfNotes(elf: ElfFile, bytes: Uint8Array): ElfNote[] {
	const notes: ElfNote[] = [];
	for (const segment of elf.segments) {
		if (segment.type !== segmentType.note) continue;
		const end = Math.min(segment.offset + segment.fileSize, bytes.length);
		const align = (value: number) =>
			Math.ceil(value / (segment.alignment === 8 ? 8 : 4)) * (segment.alignment === 8 ? 8 : 4);
		let at = segment.offset;
		while (at + headerSize <= end && notes.length < maxNotes) {
			const nameSize = readNumber(bytes, at, noteHeader.nameSize);
			const descriptor = at + align(headerSize + nameSize);
			const descriptorEnd = descriptor + readNumber(bytes, at, noteHeader.descriptorSize);
			if (descriptorEnd > end) break;
			notes.push({
				owner: Buffer.from(bytes.subarray(at + headerSize, at + headerSize + Math.min(nameSize, 32)))
					.toString('latin1')
					.replace(/\0+$/, ''),
				type: readNumber(bytes, at, noteHeader.type),
				descriptor: bytes.subarray(descriptor, descriptorEnd),
			});
			at += align(descriptorEnd - at);
		}
	}
	return notes;
}
