import type {Core} from '#vcpu-worker/software/interpreter';
import {Component, fxAreaBytes, xsaveAreaBytes} from '#vcpu-worker/software/state';
import {areClear, FxPlace, initialMxcsr, mxcsrMask, mxcsrOf, readFxArea, writeFxArea} from './fx-area.ts';

/** Tells whether XCR0 can have a value: the x87 is always in it (SDM volume 1, 13.3). */
export const isXcr0 = (value: bigint): boolean => (value & Component.x87) !== 0n && (value & ~Component.all) === 0n;

/** Places in the header behind the area of FXSAVE (SDM volume 1, 13.4.2). */
export const XsaveHeader = {xstateBv: fxAreaBytes, xcompBv: fxAreaBytes + 8, reserved: fxAreaBytes + 16} as const;
const initialControl = 0x37f;
const allRegisters = 16;

/**
 * Components that are not in their initial state (XINUSE: SDM volume 1, 13.6).
 * @param registers - XMM registers that there are
 */
export function inUse(core: Core, registers: 8 | 16): bigint {
	const {state, x87} = core;
	const {control, status, tags} = x87.registers;
	const isX87Initial =
		control === initialControl &&
		(status | tags | state.x87Opcode) === 0 &&
		state.x87InstructionPointer === 0n &&
		state.x87DataPointer === 0n &&
		areClear(core, {x87: true, sse: false, registers});
	const isSseInitial = areClear(core, {x87: false, sse: true, registers});
	return (isX87Initial ? 0n : Component.x87) | (isSseInitial ? 0n : Component.sse);
}

/**
 * Puts the initial state into an area for components that it does not hold (SDM volume 1, 13.6).
 * @param hasMxcsr - MXCSR is there even where SSE is not
 */
export function completeArea(bytes: Uint8Array, held: bigint, hasMxcsr: boolean): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if ((held & Component.x87) === 0n) {
		bytes.fill(0, 0, FxPlace.mxcsr).fill(0, FxPlace.x87, FxPlace.xmm);
		view.setUint16(FxPlace.control, initialControl, true);
	}
	if ((held & Component.sse) !== 0n) return;
	bytes.fill(0, FxPlace.xmm, FxPlace.xmm + allRegisters * 16);
	if (!hasMxcsr) view.setUint32(FxPlace.mxcsr, initialMxcsr, true);
}

/** All components, in the standard format of a snapshot. */
export function saveImage(core: Core): Uint8Array {
	const bytes = new Uint8Array(xsaveAreaBytes);
	writeFxArea(core, bytes, {x87: true, sse: true, registers: allRegisters}, true);
	new DataView(bytes.buffer).setBigUint64(XsaveHeader.xstateBv, Component.all, true);
	return bytes;
}

/** Takes what an image holds of them, perhaps of another processor's; the others get their initial state. */
export function takeImage(core: Core, image: Uint8Array, held: bigint): void {
	const area = image.slice();
	completeArea(area, held, true);
	new DataView(area.buffer).setUint32(FxPlace.mxcsr, mxcsrOf(area) & mxcsrMask, true);
	readFxArea(core, area, {x87: true, sse: true, registers: allRegisters}, true);
}
