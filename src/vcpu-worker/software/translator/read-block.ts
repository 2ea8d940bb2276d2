import {ownImmediate} from '#vcpu-worker/software/decode';
import {kinds} from '#vcpu-worker/software/semantics';
import {immediateAt, MicroOp} from '#vcpu-worker/software/state';

/** A step of a block as its record has it. */
export interface KnownStep {
	readonly kind: number;
	/** Places of operands; undefined for the constant. Where it jumps, the record's `c` is none. */
	readonly a: number | undefined;
	readonly b: number | undefined;
	readonly c: number | undefined;
	readonly immediate: bigint;
	readonly small: number;
	readonly segment: number;
	readonly ordinal: number;
	readonly start: number;
	readonly next: number;
}

/** Most steps that the records of a block are looked through for. */
const maxSteps = 1024;

/** Reads the steps of the block whose first record this is, in the processor's own memory. */
export const readBlock = (memory: SharedArrayBuffer, first: number): readonly KnownStep[] =>
	readRecords(new DataView(memory), first, maxSteps, immediateAt);

/** The same of a decoded block's records. */
export const knownSteps = (records: Int32Array): readonly KnownStep[] =>
	readRecords(
		new DataView(records.buffer, records.byteOffset),
		0,
		records.byteLength / MicroOp.size,
		() => ownImmediate >>> 0,
	);

/** @param ownPlace - what a place in the record itself is in a record at an address */
function readRecords(
	view: DataView,
	first: number,
	most: number,
	ownPlace: (record: number) => number,
): readonly KnownStep[] {
	const steps: KnownStep[] = [];
	for (let at = first; steps.length < most; at += MicroOp.size) {
		const word = (name: 'a' | 'b' | 'c' | 'segment') => view.getUint32(at + MicroOp.offset(name), true);
		const place = (name: 'a' | 'b' | 'c') => (word(name) === ownPlace(at) ? undefined : word(name));
		const number = view.getUint16(at + MicroOp.offset('kind'), true);
		const kind = kinds[number];
		steps.push({
			kind: number,
			a: place('a'),
			b: place('b'),
			c: kind?.isJump ? 0 : place('c'),
			immediate: view.getBigInt64(at + MicroOp.offset('immediate'), true),
			small: view.getUint8(at + MicroOp.offset('scale')),
			segment: word('segment'),
			ordinal: view.getUint8(at + MicroOp.offset('ordinal')),
			start: view.getUint16(at + MicroOp.offset('start'), true),
			next: view.getUint16(at + MicroOp.offset('next'), true),
		});
		// The step that leaves to TypeScript has no kind.
		if (kind?.isLast ?? true) break;
	}
	return steps;
}
