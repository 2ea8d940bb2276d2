import {Feature} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import {Component, fxAreaBytes, xsaveAreaBytes, xsaveHeaderEnd, ymmArea} from '#vcpu-worker/software/state';
import type {Features} from '#vcpu-worker/software/system/registers';
import {areClear, FxPlace, initialMxcsr, mxcsrMask, mxcsrOf, readFxArea, writeFxArea} from './fx-area.ts';
import {areUpperHalvesClear, readUpperHalves, writeUpperHalves} from './ymm-area.ts';

/** Components of a processor that CPUID announces so. */
export const componentsOf = (features: Features): bigint =>
	Component.x87 | Component.sse | (features.has(Feature.avx) ? Component.avx : 0n);

/** Tells whether XCR0 can have a value: the x87 is always in it, and SSE where AVX is (SDM volume 1, 13.3). */
export const isXcr0 = (value: bigint, features: Features): boolean =>
	(value & Component.x87) !== 0n &&
	(value & ~componentsOf(features)) === 0n &&
	((value & Component.avx) === 0n || (value & Component.sse) !== 0n);

/** Bytes of an area with these components, in either format. */
export const areaBytes = (components: bigint): number =>
	(components & Component.avx) === 0n ? xsaveHeaderEnd : xsaveAreaBytes;

/** Places in the header behind the area of FXSAVE (SDM volume 1, 13.4.2). */
export const XsaveHeader = {xstateBv: fxAreaBytes, xcompBv: fxAreaBytes + 8, reserved: fxAreaBytes + 16} as const;
/** Control word of the x87. */
export const initialControl = 0x37f;
const allRegisters = 16;

/**
 * Components that are not in their initial state (XINUSE: SDM volume 1, 13.6).
 * @param registers - XMM and YMM registers that there are
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
	const isAvxInitial = areUpperHalvesClear(core, registers);
	return (
		(isX87Initial ? 0n : Component.x87) | (isSseInitial ? 0n : Component.sse) | (isAvxInitial ? 0n : Component.avx)
	);
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
	if ((held & Component.avx) === 0n) bytes.fill(0, ymmArea.start);
	if ((held & Component.sse) !== 0n) return;
	bytes.fill(0, FxPlace.xmm, FxPlace.xmm + allRegisters * 16);
	if (!hasMxcsr) view.setUint32(FxPlace.mxcsr, initialMxcsr, true);
}

/** These components, in the standard format of a snapshot. */
export function saveImage(core: Core, components: bigint): Uint8Array {
	const bytes = new Uint8Array(areaBytes(components));
	if (bytes.length > ymmArea.start) bytes.set(readUpperHalves(core), ymmArea.start);
	writeFxArea(core, bytes, {x87: true, sse: true, registers: allRegisters}, true);
	new DataView(bytes.buffer).setBigUint64(XsaveHeader.xstateBv, components, true);
	return bytes;
}

/** Takes what an image holds of them, perhaps of another processor's; the others get their initial state. */
export function takeImage(core: Core, image: Uint8Array, held: bigint): void {
	const area = new Uint8Array(xsaveAreaBytes);
	area.set(image.subarray(0, xsaveAreaBytes));
	completeArea(area, held, true);
	writeUpperHalves(core, area.subarray(ymmArea.start));
	new DataView(area.buffer).setUint32(FxPlace.mxcsr, mxcsrOf(area) & mxcsrMask, true);
	readFxArea(core, area, {x87: true, sse: true, registers: allRegisters}, true);
}
