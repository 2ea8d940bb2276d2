/** The SSE state before a case, and what is in the operands of instructions beyond the integer core. */
import type {CaseBuilder} from './case-builder.ts';
import type {Element, Operand} from './form.ts';
import {XsaveArea} from './processor-state.ts';
import type {Random} from './random.ts';
import {writeElements} from './vector-values.ts';
import {beginX87, setMmx} from './x87-state.ts';

/** MXCSR (SDM volume 1, 10.2.3): flags of exceptions, below their masks. */
export const Mxcsr = {
	flags: 0x3f,
	DAZ: 0x40,
	masks: 0x1f80,
	/** The place of RC. */
	rounding: 13,
	FTZ: 0x8000,
} as const;

const at = {
	mxcsr: XsaveArea.offset('mxcsr') / 4,
	xmm: XsaveArea.offset('xmm') / 4,
	ymmHigh: XsaveArea.offset('ymmHigh') / 4,
};
const registerWords = 4;
const xmmWords = 16 * registerWords;
const initialMxcsr = 0x1f80;

/** Fills registers with any bits and chooses control and status; a form of the integer core finds the initial control. */
export function beginVectors(c: CaseBuilder): void {
	const {random, slot, form} = c;
	const words = slot.xsaveWords;
	beginX87(c);
	if (form.unit === undefined) {
		words[at.mxcsr] = initialMxcsr;
		return;
	}
	for (let index = 0; index < xmmWords; index++) {
		words[at.xmm + index] = random.u32();
		words[at.ymmHigh + index] = random.u32();
	}
	words[at.mxcsr] = chooseMxcsr(random);
}

/** Mostly with all exceptions masked, often with flags of earlier ones. */
export function chooseMxcsr(random: Random): number {
	const rounding = random.oneIn(2) ? 0 : random.below(4);
	let mxcsr = rounding << Mxcsr.rounding;
	mxcsr |= random.oneIn(8) ? random.u32() & Mxcsr.masks : Mxcsr.masks;
	if (random.oneIn(2)) mxcsr |= random.u32() & Mxcsr.flags;
	if (random.oneIn(4)) mxcsr |= Mxcsr.FTZ;
	if (random.oneIn(4)) mxcsr |= Mxcsr.DAZ;
	return mxcsr;
}

export const mxcsrOf = ({slot}: CaseBuilder): number => slot.xsaveWords[at.mxcsr] as number;

const scratch = new Uint32Array(2 * registerWords);

/** Puts values that matter into the operands, in registers and in memory. Often the second is like the first. */
export function fillOperands(c: CaseBuilder): void {
	const {form, random} = c;
	if (form.unit === undefined) return;
	const isAlike = random.oneIn(4);
	let previous: Element | undefined;
	for (const operand of form.operands) {
		const {kind, element} = operand;
		const isMemory = operand === form.rm && c.isMemory;
		const isXmm = 'VWUHL'.includes(kind);
		if (!isMemory && !isXmm && kind !== 'P' && kind !== 'Q' && kind !== 'N') continue;
		if (isAlike && previous === element) vary(c);
		else writeElements(scratch, 0, operand.bytes > 16 ? 2 * registerWords : registerWords, element, random);
		previous = element;
		if (isMemory) pokeScratch(c, operand);
		else if (isXmm) (operand.bytes > 16 ? setYmm : setXmm)(c, registerOf(c, operand), scratch);
		else setMmx(c, (operand === form.rm ? c.rm : c.reg) & 7, scratch);
	}
}

/** Changes a sign or the last place of one lane, or nothing. */
function vary({random}: CaseBuilder): void {
	const lane = random.below(scratch.length);
	const by = random.pick([0, 1, -1, 0x8000_0000]);
	scratch[lane] = (scratch[lane] as number) + by;
}

function pokeScratch(c: CaseBuilder, {bytes}: Operand): void {
	if (c.targetOffset < 0 || bytes > 4 * scratch.length) return;
	for (let index = 0; index < bytes; index++)
		c.slot.memory[c.targetOffset + index] = (scratch[index >> 2] as number) >>> (8 * (index & 3));
}

/** Number of the register that is an operand. */
function registerOf({form, rm, reg, other, last}: CaseBuilder, operand: Operand): number {
	if (operand === form.rm) return rm;
	return operand.kind === 'H' ? other : operand.kind === 'L' ? last : reg;
}

export function setYmm(c: CaseBuilder, register: number, value: Uint32Array): void {
	setXmm(c, register, value);
	for (let index = 0; index < registerWords; index++)
		c.slot.xsaveWords[at.ymmHigh + registerWords * register + index] = value[registerWords + index] as number;
}

export function setXmm({slot}: CaseBuilder, register: number, value: Uint32Array): void {
	for (let index = 0; index < registerWords; index++)
		slot.xsaveWords[at.xmm + registerWords * register + index] = value[index] as number;
}
