import {ownImmediate} from '#vcpu-worker/software/decode';
import {kinds, systemKind} from '#vcpu-worker/software/semantics';
import {immediateAt, MicroOp} from '#vcpu-worker/software/state';

/** Words of a record. */
const recordWords = MicroOp.size / 4;
const wordOf = (field: 'kind' | 'a' | 'b' | 'c' | 'immediate' | 'start' | 'segment'): number =>
	MicroOp.offset(field) / 4;
const places = [wordOf('a'), wordOf('b'), wordOf('c')];
const link = wordOf('c');

/** What records have, whichever processor's they are: places in the record itself, as they are decoded, and links are left open. */
export function imageOf(records: readonly Int32Array[]): Int32Array {
	const image = Int32Array.from(records.flatMap((words) => [...words]));
	for (let at = 0; at < image.length; at += recordWords) {
		const kind = (image[at + wordOf('kind')] as number) & 0xffff;
		if (kinds[kind]?.isJump || kind === systemKind) image[at + link] = isLink;
	}
	return image;
}
/** Stands for what a jump keeps of where it goes, and an instruction across two pages of where it is known. */
const isLink = -2;

/**
 * Compares records with an image.
 * @param memory - the processor's, in words
 * @param first - address of the first record
 */
export function isImage(memory: Int32Array, first: number, image: Int32Array): boolean {
	for (let word = 0; word < image.length; word++) {
		const expected = image[word] as number;
		if (memory[first / 4 + word] === expected) continue;
		const field = word % recordWords;
		const isOpen = field === link && expected === isLink;
		const record = first + (word - field) * 4;
		const isOwn =
			expected === ownImmediate && places.includes(field) && memory[first / 4 + word] === immediateAt(record);
		if (!isOpen && !isOwn) return false;
	}
	return true;
}
