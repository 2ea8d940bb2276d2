import type {Core} from '#vcpu-worker/software/interpreter';

/** Bytes of the area of FXSAVE, which is also the first part of XSAVE's. */
export const fxAreaBytes = 512;

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
const registerBytes = 16;
/** Bits of MXCSR that there are. */
export const mxcsrMask = 0xffff;
const lanesEach = 4;

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
	{state, x87: {registers: stack}}: Core,
	bytes: Uint8Array,
	{x87, sse, registers}: FxParts,
	isWide: boolean,
): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (x87) {
		view.setUint16(FxPlace.control, stack.control, true);
		view.setUint16(FxPlace.status, stack.status, true);
		view.setUint16(FxPlace.tags, stack.tags, true);
		view.setUint16(FxPlace.opcode, state.x87Opcode, true);
		const keep = (pointer: bigint) => (isWide ? pointer : pointer & 0xffff_ffffn);
		view.setBigUint64(FxPlace.instruction, keep(state.x87InstructionPointer), true);
		view.setBigUint64(FxPlace.data, keep(state.x87DataPointer), true);
		for (let index = 0; index < 8; index++) {
			const {significand, signExponent} = stack.get(index);
			view.setBigUint64(FxPlace.x87 + index * registerBytes, significand, true);
			view.setBigUint64(FxPlace.x87 + index * registerBytes + 8, BigInt(signExponent), true);
		}
	}
	if (!sse) return;
	view.setUint32(FxPlace.mxcsr, state.mxcsr, true);
	view.setUint32(FxPlace.mxcsrMask, mxcsrMask, true);
	for (let register = 0; register < registers; register++)
		for (let half = 0; half < 2; half++)
			view.setBigUint64(
				FxPlace.xmm + register * registerBytes + half * 8,
				state.vector256[register * lanesEach + half] as bigint,
				true,
			);
}

/** MXCSR in an area. */
export const mxcsrOf = (bytes: Uint8Array): number =>
	new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(FxPlace.mxcsr, true);

/** Takes parts of an area, whose MXCSR has no bits that there are not. */
export function readFxArea(
	{state, x87: {registers: stack}}: Core,
	bytes: Uint8Array,
	{x87, sse, registers}: FxParts,
	isWide: boolean,
): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (x87) {
		stack.status = view.getUint16(FxPlace.status, true);
		stack.control = view.getUint16(FxPlace.control, true);
		state.x87Opcode = view.getUint16(FxPlace.opcode, true) & 0x7ff;
		const pointer = (place: number) => (isWide ? view.getBigUint64(place, true) : BigInt(view.getUint32(place, true)));
		state.x87InstructionPointer = pointer(FxPlace.instruction);
		state.x87DataPointer = pointer(FxPlace.data);
		for (let index = 0; index < 8; index++) {
			const significand = view.getBigUint64(FxPlace.x87 + index * registerBytes, true);
			stack.set(index, {significand, signExponent: view.getUint16(FxPlace.x87 + index * registerBytes + 8, true)});
		}
		stack.tags = view.getUint8(FxPlace.tags);
	}
	if (!sse) return;
	state.mxcsr = mxcsrOf(bytes);
	for (let register = 0; register < registers; register++)
		for (let half = 0; half < 2; half++)
			state.vector256[register * lanesEach + half] = view.getBigUint64(
				FxPlace.xmm + register * registerBytes + half * 8,
				true,
			);
}
