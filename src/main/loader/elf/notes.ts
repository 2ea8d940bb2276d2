import {u32, wire} from '#support/wire';
import {type ElfFile, segmentType} from './elf-file.ts';

/** One ELF note (ELF gABI, "Note Section"). */
export interface ElfNote {
	/** The name of those who defined its type, e.g. `Xen`. */
	readonly owner: string;
	readonly type: number;
	readonly descriptor: Uint8Array;
}

const noteHeader = wire('ELF note header', {nameSize: u32, descriptorSize: u32, type: u32});
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
		while (at + noteHeader.size <= end && notes.length < maxNotes) {
			const {nameSize, descriptorSize, type} = noteHeader.read(bytes, at);
			const descriptor = at + align(noteHeader.size + nameSize);
			const descriptorEnd = descriptor + descriptorSize;
			if (descriptorEnd > end) break;
			notes.push({
				owner: Buffer.from(bytes.subarray(at + noteHeader.size, at + noteHeader.size + Math.min(nameSize, 32)))
					.toString('latin1')
					.replace(/\0+$/, ''),
				type,
				descriptor: bytes.subarray(descriptor, descriptorEnd),
			});
			at += align(descriptorEnd - at);
		}
	}
	return notes;
}
