/** The x87, MMX and SSE state before a case, and what is in the operands of its instruction. */
import type {CaseBuilder} from './case-builder.ts';
import type {Element, Operand} from './form.ts';
import {XsaveArea} from './processor-state.ts';
import {writeElements} from './vector-values.ts';

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
	/** FCW with FSW above it, then FTW. */
	control: 0,
	tags: 1,
	mxcsr: XsaveArea.offset('mxcsr') / 4,
	st: XsaveArea.offset('st') / 4,
	xmm: XsaveArea.offset('xmm') / 4,
	ymmHigh: XsaveArea.offset('ymmHigh') / 4,
};
const registerWords = 4;
const xmmWords = 16 * registerWords;
const initial = {control: 0x37f, mxcsr: 0x1f80};

/** Fills registers with any bits and chooses control and status; a form of the integer core finds the initial control. */
export function beginVectors(c: CaseBuilder): void {
	const {random, slot, form} = c;
	const words = slot.xsaveWords;
	if (form.unit === undefined) {
		words[at.control] = initial.control;
		words[at.mxcsr] = initial.mxcsr;
		return;
	}
	for (let index = 0; index < xmmWords; index++) {
		words[at.xmm + index] = random.u32();
		words[at.ymmHigh + index] = random.u32();
	}
	words[at.mxcsr] = chooseMxcsr(c);
	beginX87(c);
}

/** Mostly with all exceptions masked, often with flags of earlier ones. */
export function chooseMxcsr({random}: CaseBuilder): number {
	const rounding = random.oneIn(2) ? 0 : random.below(4);
	let mxcsr = rounding << Mxcsr.rounding;
	mxcsr |= random.oneIn(8) ? random.u32() & Mxcsr.masks : Mxcsr.masks;
	if (random.oneIn(2)) mxcsr |= random.u32() & Mxcsr.flags;
	if (random.oneIn(4)) mxcsr |= Mxcsr.FTZ;
	if (random.oneIn(4)) mxcsr |= Mxcsr.DAZ;
	return mxcsr;
}

/** Any registers, tags, TOP and flags; an exception that waits to be handled is rare where it would be one of the case. */
function beginX87({random, slot, form}: CaseBuilder): void {
	const words = slot.xsaveWords;
	for (let register = 0; register < 8; register++) {
		const place = at.st + registerWords * register;
		words[place] = random.u32();
		words[place + 1] = random.u32();
		words[place + 2] = random.u32() & 0xffff;
	}
	const flags = random.u32() & 0x3f;
	const isPending = random.oneIn(form.unit === 'sse' ? 4 : 24);
	const masks = isPending ? random.u32() & 0x3f : (random.u32() & 0x3f) | flags;
	// PC, RC, and the bit that is always set.
	const fcw = (random.u32() & 0xf00) | 0x40 | masks;
	// C0 to C3, TOP and SF; ES and B tell of flags that are not masked.
	const summary = (flags & ~masks) === 0 ? 0 : 0x8080;
	const fsw = (random.u32() & 0x7f40) | flags | summary;
	words[at.control] = ((fsw << 16) | fcw) >>> 0;
	words[at.tags] = random.u32() & 0xff;
}

export const mxcsrOf = ({slot}: CaseBuilder): number => slot.xsaveWords[at.mxcsr] as number;

/** What an MMX instruction makes of the x87 state: TOP is zero, all tags valid; no exception waits. */
export function enterMmx({slot: {xsaveWords: words}}: CaseBuilder): void {
	const control = words[at.control] as number;
	const kept = 0x4740_ffff;
	words[at.control] = (control & kept) | 0x3f;
	words[at.tags] = 0xff;
}

const scratch = new Uint32Array(4);

/** Puts values that matter into the operands: a register of its own or 16 bytes at most of memory. Often the second one is like the first. */
export function fillOperands(c: CaseBuilder): void {
	const {form, random} = c;
	if (form.unit === undefined) return;
	const isAlike = random.oneIn(4);
	let previous: Element | undefined;
	for (const operand of form.operands) {
		const {kind, element} = operand;
		const isMemory = operand === form.rm && c.isMemory;
		const isXmm = kind === 'V' || kind === 'W' || kind === 'U';
		if (!isMemory && !isXmm && kind !== 'P' && kind !== 'Q' && kind !== 'N') continue;
		if (isAlike && previous === element) vary(c);
		else writeElements(scratch, 0, registerWords, element, random);
		previous = element;
		if (isMemory) pokeScratch(c, operand);
		else if (isXmm) setXmm(c, operand === form.rm ? c.rm : c.reg, scratch);
		else setMmx(c, (operand === form.rm ? c.rm : c.reg) & 7, scratch);
	}
}

/** Changes a sign or the last place of one lane, or nothing. */
function vary({random}: CaseBuilder): void {
	const lane = random.below(registerWords);
	const by = random.pick([0, 1, -1, 0x8000_0000]);
	scratch[lane] = (scratch[lane] as number) + by;
}

function pokeScratch(c: CaseBuilder, {bytes}: Operand): void {
	if (c.targetOffset < 0) return;
	for (let index = 0; index < bytes; index++)
		c.slot.memory[c.targetOffset + index] = (scratch[index >> 2] as number) >>> (8 * (index & 3));
}

export function setXmm({slot}: CaseBuilder, register: number, value: Uint32Array): void {
	for (let index = 0; index < registerWords; index++)
		slot.xsaveWords[at.xmm + registerWords * register + index] = value[index] as number;
}

/** MMX registers are the physical ones, from where TOP is not yet zero. */
export function setMmx({slot}: CaseBuilder, register: number, value: Uint32Array): void {
	const words = slot.xsaveWords;
	const top = ((words[at.control] as number) >>> 27) & 7;
	const place = at.st + registerWords * ((register - top) & 7);
	words[place] = value[0] as number;
	words[place + 1] = value[1] as number;
}
