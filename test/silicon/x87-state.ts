/** The x87 state before a case, and what operands of its functions are (SDM volume 1, chapter 8). */
import type {CaseBuilder} from './case-builder.ts';
import {XsaveArea} from './processor-state.ts';
import {writeElements} from './vector-values.ts';

/** Bits of the status word: flags of exceptions, and condition codes. */
export const Fsw = {U: 0x10, P: 0x20, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000} as const;

const at = {
	/** FCW with FSW above it, then FTW. */
	control: 0,
	tags: 1,
	st: XsaveArea.offset('st') / 4,
};
const registerWords = 4;
const initialControl = 0x37f;
const bias = 0x3fff;
const exponentMask = 0x7fff;
/** ES and B: an exception that is not masked waits. */
const summary = 0x8080;

/** FCW: all exceptions masked or, where they may be, one time in 8 some not; any rounding, and any precision but the one that is reserved. */
function chooseFcw({random}: CaseBuilder, canUnmask: boolean): number {
	const masks = canUnmask && random.oneIn(8) ? random.u32() & 0x3f : 0x3f;
	const precision = random.oneIn(2) ? 3 : random.pick([0, 2, 3]);
	const rounding = random.oneIn(2) ? 0 : random.below(4);
	return (rounding << 10) | (precision << 8) | 0x40 | masks;
}

/** FSW that goes with a control word: any flags, condition codes, TOP and SF; where an exception waits, all do that are not masked. */
function chooseFsw({random}: CaseBuilder, fcw: number, waits: boolean): number {
	const flags = random.oneIn(2) ? random.u32() & 0x3f : 0;
	const kept = waits ? flags | (~fcw & 0x3f) : flags & fcw;
	return (random.u32() & 0x7f40) | kept | ((kept & ~fcw) === 0 ? 0 : summary);
}

/** Chooses registers, tags and control. Instructions of x87 find numbers where they look, and room to push, most of the time. */
export function beginX87(c: CaseBuilder): void {
	const {random, form, slot} = c;
	const words = slot.xsaveWords;
	if (form.unit === undefined) {
		words[at.control] = initialControl;
		return;
	}
	const waits = random.oneIn(form.unit === 'sse' ? 4 : 24);
	const fcw = chooseFcw(c, waits || form.inexact === undefined) & ~(waits ? 1 << random.below(6) : 0);
	words[at.control] = ((chooseFsw(c, fcw, waits) << 16) | fcw) >>> 0;
	words[at.tags] = random.u32() & 0xff;
	for (let index = 0; index < 8; index++) {
		const place = at.st + registerWords * index;
		if (form.unit === 'x87') writeElements(words, place, registerWords, 'extended', random);
		else for (let word = 0; word < 3; word++) words[place + word] = random.u32();
	}
	if (form.unit !== 'x87') return;
	const other = form.operands.some(({kind}) => kind === 'S') ? c.reg & 7 : 1;
	if (random.oneIn(3)) makeAlike(c, other);
	if (random.oneIn(16)) return;
	setValid(c, 0, true);
	setValid(c, other, true);
	if (form.pushes === true) setValid(c, 7, false);
}

function setValid({slot}: CaseBuilder, index: number, isValid: boolean): void {
	const words = slot.xsaveWords;
	const top = ((words[at.control] as number) >>> 27) & 7;
	const bit = 1 << ((top + index) & 7);
	words[at.tags] = isValid ? (words[at.tags] as number) | bit : (words[at.tags] as number) & ~bit;
}

/** Makes a register ST(0) with another sign or last place, or gives it an exponent near. */
function makeAlike({random, slot}: CaseBuilder, index: number): void {
	const words = slot.xsaveWords;
	const place = at.st + registerWords * index;
	const signExponent = words[at.st + 2] as number;
	if (random.oneIn(2)) {
		const exponent = Math.min(Math.max((signExponent & exponentMask) + random.below(140) - 70, 1), exponentMask - 1);
		words[place + 1] = (words[place + 1] as number) | 0x8000_0000;
		words[place + 2] = (random.u32() & 0x8000) | exponent;
		return;
	}
	words[place] = (words[at.st] as number) + random.below(3) - 1;
	words[place + 1] = words[at.st + 1] as number;
	words[place + 2] = signExponent ^ (random.below(2) << 15);
}

/** MMX registers are the physical ones, wherever TOP is before the first MMX instruction. */
export function setMmx({slot}: CaseBuilder, register: number, value: Uint32Array): void {
	const words = slot.xsaveWords;
	const top = ((words[at.control] as number) >>> 27) & 7;
	const place = at.st + registerWords * ((register - top) & 7);
	words[place] = value[0] as number;
	words[place + 1] = value[1] as number;
}

/** Makes of the x87 state what an MMX instruction does: TOP is zero, all tags valid; no exception waits. */
export function enterMmx({slot: {xsaveWords: words}}: CaseBuilder): void {
	const control = words[at.control] as number;
	const kept = 0x4740_ffff;
	words[at.control] = (control & kept) | 0x3f;
	words[at.tags] = 0xff;
}

/** Gives ST(i) a normal number with an exponent, relative to one, that `exponent` says; its other bits stay. */
function setExponent({slot}: CaseBuilder, index: number, exponent: number, isNegative?: boolean): void {
	const words = slot.xsaveWords;
	const place = at.st + registerWords * index;
	words[place + 1] = ((words[place + 1] as number) | 0x8000_0000) >>> 0;
	const sign = isNegative === undefined ? (words[place + 2] as number) & 0x8000 : isNegative ? 0x8000 : 0;
	words[place + 2] = sign | (exponent + bias);
}

/** Of ST(i), relative to one, after a denormal is normal; undefined where it is no finite number. */
function exponentOf({slot}: CaseBuilder, index: number): number | undefined {
	const words = slot.xsaveWords;
	const place = at.st + registerWords * index;
	const field = (words[place + 2] as number) & exponentMask;
	const [low, high] = [words[place] as number, words[place + 1] as number];
	if (field === exponentMask || (low | high) === 0) return undefined;
	return Math.max(field, 1) - bias - (high === 0 ? 32 + Math.clz32(low) : Math.clz32(high));
}

/** Exponents that differ by up to 70, so that most remainders are complete. */
export function setRemainder(c: CaseBuilder): void {
	const exponent = exponentOf(c, 0);
	if (exponent === undefined || c.random.oneIn(8)) return;
	setExponent(c, 1, Math.min(Math.max(exponent - c.random.below(66) + 3, 1 - bias), bias));
}

/** FPREM and FPREM1 reduce as far as they like where exponents differ by 64 or more. */
export function isPartialRemainder(c: CaseBuilder): boolean {
	const [dividend, divisor] = [exponentOf(c, 0), exponentOf(c, 1)];
	return dividend !== undefined && divisor !== undefined && dividend - divisor >= 64;
}

/** Mostly powers of two that change the exponent by less than its range. */
export function setScale(c: CaseBuilder): void {
	if (!c.random.oneIn(4)) setExponent(c, 1, c.random.below(18) - 2);
}

/** Below one half, where no multiple of pi is taken off: pi's length there depends on the processor. Now and then out of range. */
export function setAngle(c: CaseBuilder): void {
	const {random} = c;
	if (exponentOf(c, 0) === undefined) return;
	setExponent(c, 0, random.oneIn(8) ? 63 + random.below(100) : -2 - random.below(random.pick([4, 70, 16_000])));
}

/** F2XM1 is defined from -1 to 1. */
export function setPower(c: CaseBuilder): void {
	if (exponentOf(c, 0) !== undefined) setExponent(c, 0, -1 - c.random.below(c.random.pick([4, 70, 16_000])));
}

/** FYL2XP1 is defined from sqrt(1/2) - 1 to 1 - sqrt(1/2), which is a little more than a quarter. */
export function setNearOne(c: CaseBuilder): void {
	setExponent(c, 0, -3 - c.random.below(c.random.pick([4, 70, 1000])));
	setFactor(c);
}

/** Logarithms are of positive numbers, mostly; the factor keeps the product in range. */
export function setLogarithm(c: CaseBuilder): void {
	if (exponentOf(c, 0) !== undefined && !c.random.oneIn(8)) setExponent(c, 0, c.random.below(80) - 40, false);
	setFactor(c);
}

/** Quotients are mostly neither tiny nor huge. */
export function setArctangent(c: CaseBuilder): void {
	const exponent = exponentOf(c, 0);
	if (exponent === undefined || c.random.oneIn(8)) return;
	setExponent(c, 0, c.random.below(100) - 50);
	setExponent(c, 1, c.random.below(100) - 50);
}

function setFactor(c: CaseBuilder): void {
	if (exponentOf(c, 1) !== undefined) setExponent(c, 1, c.random.below(100) - 50);
}

/** A control word that has a meaning. */
export function setControlOperand(c: CaseBuilder): void {
	c.poke(c.target, 2, BigInt(chooseFcw(c, true)));
}

/** Control and status that go together, at the beginning of an environment: words of 32 bits, with 66 of 16. Registers behind it are any bits. */
export function setEnvironment(c: CaseBuilder): void {
	const step = c.form.size === 16 ? 2n : 4n;
	const fcw = chooseFcw(c, true);
	c.poke(c.target, 2, BigInt(fcw));
	c.poke(c.target + step, 2, BigInt(chooseFsw(c, fcw, c.random.oneIn(4))));
}
