import type {ViewOf} from '#support/wire';
import type {CpuState} from '#vcpu-worker/software/state';

type State = ViewOf<typeof CpuState>;

/** Bytes of the area of FXSAVE, which is also the first part of XSAVE's. */
export const fxAreaBytes = 512;

/** Places in it, in the form of 64-bit offsets (SDM volume 1, table 10-2). */
const Place = {
	control: 0,
	status: 2,
	tags: 4,
	opcode: 6,
	instruction: 8,
	instructionSegment: 12,
	data: 16,
	dataSegment: 20,
	mxcsr: 24,
	mxcsrMask: 28,
	x87: 32,
	xmm: 160,
} as const;
const registerBytes = 16;
/** Bits of MXCSR that there are. */
export const mxcsrMask = 0xffff;
const topShift = 11;
const lanesEach = 4;
const writableControl = 0x1f3f;
const fixedControl = 0x40;

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
export function writeFxArea(state: State, bytes: Uint8Array, {x87, sse, registers}: FxParts, isWide: boolean): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (x87) {
		view.setUint16(Place.control, state.x87Control, true);
		view.setUint16(Place.status, state.x87Status, true);
		view.setUint16(Place.tags, state.x87Tags, true);
		view.setUint16(Place.opcode, state.x87Opcode, true);
		const keep = (pointer: bigint) => (isWide ? pointer : pointer & 0xffff_ffffn);
		view.setBigUint64(Place.instruction, keep(state.x87InstructionPointer), true);
		view.setBigUint64(Place.data, keep(state.x87DataPointer), true);
		for (let index = 0; index < 8; index++) {
			const register = state.x87[physical(state.x87Status, index)];
			view.setBigUint64(Place.x87 + index * registerBytes, register?.significand ?? 0n, true);
			view.setBigUint64(Place.x87 + index * registerBytes + 8, BigInt(register?.signExponent ?? 0), true);
		}
	}
	if (!sse) return;
	view.setUint32(Place.mxcsr, state.mxcsr, true);
	view.setUint32(Place.mxcsrMask, mxcsrMask, true);
	for (let register = 0; register < registers; register++)
		for (let half = 0; half < 2; half++)
			view.setBigUint64(
				Place.xmm + register * registerBytes + half * 8,
				state.vector256[register * lanesEach + half] as bigint,
				true,
			);
}

/** MXCSR in an area. */
export const mxcsrOf = (bytes: Uint8Array): number =>
	new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(Place.mxcsr, true);

/** Takes parts of an area, whose MXCSR has no bits that there are not. */
export function readFxArea(state: State, bytes: Uint8Array, {x87, sse, registers}: FxParts, isWide: boolean): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (x87) {
		state.x87Control = (view.getUint16(Place.control, true) & writableControl) | fixedControl;
		state.x87Status = statusWith(view.getUint16(Place.status, true), state.x87Control);
		state.x87Tags = view.getUint8(Place.tags);
		state.x87Opcode = view.getUint16(Place.opcode, true) & 0x7ff;
		const pointer = (place: number) => (isWide ? view.getBigUint64(place, true) : BigInt(view.getUint32(place, true)));
		state.x87InstructionPointer = pointer(Place.instruction);
		state.x87DataPointer = pointer(Place.data);
		for (let index = 0; index < 8; index++) {
			const register = state.x87[physical(state.x87Status, index)];
			if (register === undefined) continue;
			register.significand = view.getBigUint64(Place.x87 + index * registerBytes, true);
			register.signExponent = view.getUint16(Place.x87 + index * registerBytes + 8, true);
		}
	}
	if (!sse) return;
	state.mxcsr = mxcsrOf(bytes);
	for (let register = 0; register < registers; register++)
		for (let half = 0; half < 2; half++)
			state.vector256[register * lanesEach + half] = view.getBigUint64(
				Place.xmm + register * registerBytes + half * 8,
				true,
			);
}

/** The number of ST(index). */
const physical = (status: number, index: number): number => ((status >> topShift) + index) & 7;

/** ES and B follow from exceptions that are not masked (SDM volume 1, 8.1.3.3). */
function statusWith(status: number, control: number): number {
	const isWaiting = (status & ~control & 0x3f) !== 0;
	return (status & 0x7f7f) | (isWaiting ? 0x8080 : 0);
}
