import type {Core} from '#vcpu-worker/software/interpreter';
import {fxAreaBytes, mmxAt, vectorAt} from '#vcpu-worker/software/state';

/** Places in it, in the form of 64-bit offsets (SDM volume 1, table 10-2). */
export const FxPlace = {
	control: 0,
	status: 2,
	tags: 4,
	opcode: 6,
	instruction: 8,
	data: 16,
	mxcsr: 24,
	mxcsrMask: 28,
	x87: 32,
	xmm: 160,
} as const;
/** Words of a register in the area, as the x87's are in the state too; XMM registers take twice as many there. */
const registerWords = 4;
const xmmWords = 8;
/** Sign and exponent in the third word of the x87's. */
const signExponent = 0xffff;
/** Places of both in the state, in words. */
const [x87At, xmmAt] = [mmxAt(0) / 4, vectorAt(0) / 4] as const;
/** Bits of MXCSR that there are. */
export const mxcsrMask = 0xffff;
/** All exceptions of floating point are masked (SDM volume 1, 10.2.3). */
export const initialMxcsr = 0x1f80;

/** Tells whether all that the state has of these registers is 0. */
export function areClear({words}: Core, {x87, sse, registers}: FxParts): boolean {
	let bits = 0;
	if (x87) for (let word = 0; word < 8 * registerWords; word++) bits |= words[x87At + word] as number;
	if (sse)
		for (let register = 0; register < registers; register++)
			for (let word = 0; word < registerWords; word++) bits |= words[xmmAt + register * xmmWords + word] as number;
	return bits === 0;
}

/** Parts of the area: state components (SDM volume 1, 13.1). */
export interface FxParts {
	readonly x87: boolean;
	/** MXCSR and the XMM registers. */
	readonly sse: boolean;
	/** XMM registers that there are: 8 outside of 64-bit code. */
	readonly registers: 8 | 16;
}

/**
 * Writes parts of the area.
 * @param isWide - pointers have 64 bits, not 32 and a selector, which is 0
 */
export function writeFxArea(
	{state, words, x87: {registers: stack}}: Core,
	bytes: Uint8Array,
	{x87, sse, registers}: FxParts,
	isWide: boolean,
): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const area = new Int32Array(bytes.buffer, bytes.byteOffset, fxAreaBytes / 4);
	if (x87) {
		view.setUint16(FxPlace.control, stack.control, true);
		view.setUint16(FxPlace.status, stack.status, true);
		view.setUint16(FxPlace.tags, stack.tags, true);
		view.setUint16(FxPlace.opcode, state.x87Opcode, true);
		const keep = (pointer: bigint) => (isWide ? pointer : pointer & 0xffff_ffffn);
		view.setBigUint64(FxPlace.instruction, keep(state.x87InstructionPointer), true);
		view.setBigUint64(FxPlace.data, keep(state.x87DataPointer), true);
		for (let index = 0; index < 8; index++) {
			const [from, to] = [x87At + stack.physical(index) * registerWords, FxPlace.x87 / 4 + index * registerWords];
			area[to] = words[from] as number;
			area[to + 1] = words[from + 1] as number;
			area[to + 2] = (words[from + 2] as number) & signExponent;
			area[to + 3] = 0;
		}
	}
	if (!sse) return;
	view.setUint32(FxPlace.mxcsr, state.mxcsr, true);
	view.setUint32(FxPlace.mxcsrMask, mxcsrMask, true);
	for (let register = 0; register < registers; register++)
		for (let word = 0; word < registerWords; word++)
			area[FxPlace.xmm / 4 + register * registerWords + word] = words[xmmAt + register * xmmWords + word] as number;
}

/** MXCSR in an area. */
export const mxcsrOf = (bytes: Uint8Array): number =>
	new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(FxPlace.mxcsr, true);

/** Takes parts of an area, whose MXCSR has no bits that there are not. */
export function readFxArea(
	{state, words, x87: {registers: stack}}: Core,
	bytes: Uint8Array,
	{x87, sse, registers}: FxParts,
	isWide: boolean,
): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const area = new Int32Array(bytes.buffer, bytes.byteOffset, fxAreaBytes / 4);
	if (x87) {
		stack.status = view.getUint16(FxPlace.status, true);
		stack.control = view.getUint16(FxPlace.control, true);
		state.x87Opcode = view.getUint16(FxPlace.opcode, true) & 0x7ff;
		const pointer = (place: number) => (isWide ? view.getBigUint64(place, true) : BigInt(view.getUint32(place, true)));
		state.x87InstructionPointer = pointer(FxPlace.instruction);
		state.x87DataPointer = pointer(FxPlace.data);
		for (let index = 0; index < 8; index++) {
			const [to, from] = [x87At + stack.physical(index) * registerWords, FxPlace.x87 / 4 + index * registerWords];
			words[to] = area[from] as number;
			words[to + 1] = area[from + 1] as number;
			words[to + 2] = (area[from + 2] as number) & signExponent;
		}
		stack.tags = view.getUint8(FxPlace.tags);
	}
	if (!sse) return;
	state.mxcsr = mxcsrOf(bytes);
	for (let register = 0; register < registers; register++)
		for (let word = 0; word < registerWords; word++)
			words[xmmAt + register * xmmWords + word] = area[FxPlace.xmm / 4 + register * registerWords + word] as number;
}
