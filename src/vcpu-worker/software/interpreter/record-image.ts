import {type BlockStep, ownImmediate} from '#vcpu-worker/software/decode';
import {kinds} from '#vcpu-worker/software/semantics';
import {immediateAt, MicroOp} from '#vcpu-worker/software/state';

/** Words of a record. */
const recordWords = MicroOp.size / 4;
const wordOf = (field: 'kind' | 'a' | 'b' | 'c' | 'immediate' | 'start' | 'segment'): number =>
	MicroOp.offset(field) / 4;
const places = [wordOf('a'), wordOf('b'), wordOf('c')];
const link = wordOf('c');

/** What steps' records have, whichever processor's they are: places in the record itself, and links, are left open. */
export function imageOf(steps: readonly BlockStep[]): Int32Array {
	const image = new Int32Array(steps.length * recordWords);
	const bytes = new DataView(image.buffer);
	for (const [index, step] of steps.entries()) {
		const at = index * MicroOp.size;
		bytes.setUint16(at + MicroOp.offset('kind'), step.kind, true);
		bytes.setUint8(at + MicroOp.offset('scale'), step.scale);
		bytes.setUint8(at + MicroOp.offset('ordinal'), step.ordinal);
		bytes.setInt32(at + MicroOp.offset('a'), step.a, true);
		bytes.setInt32(at + MicroOp.offset('b'), step.b, true);
		bytes.setInt32(at + MicroOp.offset('c'), kinds[step.kind]?.isJump ? isLink : step.c, true);
		bytes.setBigInt64(at + MicroOp.offset('immediate'), BigInt.asIntN(64, step.immediate), true);
		bytes.setUint16(at + MicroOp.offset('start'), step.start, true);
		bytes.setUint16(at + MicroOp.offset('next'), step.next, true);
		bytes.setUint32(at + MicroOp.offset('segment'), step.segment, true);
	}
	return image;
}
/** Stands for what a jump keeps of where it goes. */
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
