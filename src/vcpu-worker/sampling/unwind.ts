import type {GuestView} from '#vcpu-worker/guest-view';

/** Registers that a walk of a stack begins with; addresses are linear. */
export interface StackStart {
	/** The instruction that the processor executes. */
	readonly at: bigint;
	/** The one that comes next. */
	readonly next: bigint;
	/** It has been executed, and is a return. */
	readonly hasReturned: boolean;
	/** The frame that RBP points to. */
	readonly frame: bigint;
	/** Bytes of an address on the stack. */
	readonly wordBytes: 4 | 8;
}

/** The longest frame that is believed. */
const maxFrameBytes = 2n ** 20n;
/** The longest call (Intel SDM volume 2, CALL): with an operand in memory by SIB and a displacement of 32 bits. */
const maxCallBytes = 7;
/** Lengths of `FF /2`, a call through an operand. */
const indirectLengths = [2, 3, 4, 6, 7] as const;

/**
 * Walks a stack by its frame pointers. The guest has written it, and may not even keep frame pointers: an address counts only where
 * the instruction before it is a call, and frames go up.
 * @param most - frames at most
 * @returns the instruction, then the calls that led to it, from the inside. Each address of a call lies within the call.
 */
export function unwind(
	view: GuestView,
	{at, next, hasReturned, frame: first, wordBytes}: StackStart,
	most: number,
): bigint[] {
	const frames = [at];
	const add = (address: bigint): boolean => {
		if (frames.length >= most || isHigh(address) !== isHigh(at) || !followsCall(view, address)) return false;
		frames.push(address - 1n);
		return true;
	};
	// A function that has just returned has taken its own frame away.
	if (hasReturned) add(next);
	for (let frame = first; ; ) {
		const words = view.read(frame, 2 * wordBytes);
		if (words.length < 2 * wordBytes || !add(wordAt(words, wordBytes, wordBytes))) return frames;
		const outer = wordAt(words, 0, wordBytes);
		if (outer <= frame || outer - frame > maxFrameBytes) return frames;
		frame = outer;
	}
}

/** The kernel's half of 64-bit addresses. */
const isHigh = (address: bigint): boolean => address >> 63n === 1n;

function wordAt(bytes: Uint8Array, offset: number, wordBytes: 4 | 8): bigint {
	const view = new DataView(bytes.buffer, bytes.byteOffset);
	return wordBytes === 8 ? view.getBigUint64(offset, true) : BigInt(view.getUint32(offset, true));
}

/** RET, perhaps behind a prefix, as compilers write it (Intel SDM volume 2, RET). */
export function isReturn(view: GuestView, address: bigint): boolean {
	const [first = 0, second = 0] = view.read(address, 2);
	const hasPrefix = first === 0xf2 || first === 0xf3 || (first & 0xf0) === 0x40;
	const opcode = hasPrefix ? second : first;
	return opcode === 0xc3 || opcode === 0xc2;
}

/** True where the bytes before an address can be a near call (Intel SDM volume 2, CALL). */
function followsCall(view: GuestView, address: bigint): boolean {
	const bytes = view.read(address - BigInt(maxCallBytes), maxCallBytes);
	if (bytes.length < maxCallBytes) return false;
	if (bytes[maxCallBytes - 5] === 0xe8) return true;
	return indirectLengths.some((length) => {
		const [opcode = 0, modRm = 0] = bytes.subarray(maxCallBytes - length);
		return opcode === 0xff && ((modRm >> 3) & 7) === 2;
	});
}
