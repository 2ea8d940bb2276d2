import type {Core} from '#vcpu-worker/software/interpreter';
import {vectorAt, ymmArea} from '#vcpu-worker/software/state';

/** Words of half a register, and from one register to the next in the state. */
const [halfWords, registerWords] = [4, 8] as const;
const firstWord = vectorAt(0) / 4 + halfWords;

/** Tells whether the upper halves of all these registers are 0. */
export function areUpperHalvesClear({words}: Core, registers: 8 | 16): boolean {
	let bits = 0;
	for (let register = 0; register < registers; register++)
		for (let word = 0; word < halfWords; word++) bits |= words[firstWord + register * registerWords + word] as number;
	return bits === 0;
}

/** Upper halves of YMM registers, as XSAVE and debuggers have them (SDM volume 1, 13.5.2). */
export function readUpperHalves({words}: Core): Uint8Array<ArrayBuffer> {
	const area = new Int32Array(ymmArea.bytes / 4);
	for (let at = 0; at < area.length; at++) area[at] = words[placeOf(at)] as number;
	return new Uint8Array(area.buffer);
}

/** @param bytes - of as many registers as are written */
export function writeUpperHalves({words}: Core, bytes: Uint8Array): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	for (let at = 0; at < bytes.length / 4; at++) words[placeOf(at)] = view.getInt32(at * 4, true);
}

/** Place in the state of a word of the area. */
const placeOf = (at: number): number => firstWord + Math.floor(at / halfWords) * registerWords + (at % halfWords);
