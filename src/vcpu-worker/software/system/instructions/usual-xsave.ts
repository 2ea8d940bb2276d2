import type {Core} from '#vcpu-worker/software/interpreter';
import type {PhysicalMemory} from '#vcpu-worker/software/mmu';
import {CpuState, generalAt, mmxAt, vectorAt, xsaveHeaderEnd, ymmArea} from '#vcpu-worker/software/state';
import {FxPlace, initialMxcsr, mxcsrMask} from './fx-area.ts';
import {initialControl, XsaveHeader} from './xsave-area.ts';

/** State components by the low half of a word that has them, and the highest bit of XCOMP_BV. */
const [x87, sse, avx] = [1, 2, 4];
/** Words of one of the x87's registers, and what the third has of it: sign and exponent. */
const [registerWords, signExponent] = [4, 0xffff];
const compacted = 0x8000_0000 | 0;
/** Registers, and words of half of one of 256 bits, and of all of it. */
const [registers, halfWords, vectorWords] = [16, 4, 8];
/** Words of the state: control and status word are one, tags and opcode the next. */
const Word = {
	...{accumulator: generalAt(0) / 4, xcr0: CpuState.offset('xcr0') / 4, mxcsr: CpuState.offset('mxcsr') / 4},
	...{lower: vectorAt(0) / 4, upper: vectorAt(0) / 4 + halfWords, x87: mmxAt(0) / 4},
	...{pointers: CpuState.offset('x87InstructionPointer') / 4, control: CpuState.offset('x87Control') / 4},
} as const;
const [x87Words, pointerWords] = [8 * registerWords, 4];
/** Bits of the word with the opcode that there are: it lies above the tags. */
const opcodeAndTags = 0x07ff_00ff;

function areZero(words: Int32Array, first: number, count: number): boolean {
	let bits = 0;
	for (let word = first; word < first + count; word++) bits |= words[word] as number;
	return bits === 0;
}

/** The same of a half of each vector. */
function areHalvesZero(words: Int32Array, first: number): boolean {
	let bits = 0;
	for (let at = first; at < first + registers * vectorWords; at += vectorWords)
		bits |= (words[at] as number) | (words[at + 1] as number) | (words[at + 2] as number) | (words[at + 3] as number);
	return bits === 0;
}

const isX87Initial = (words: Int32Array): boolean =>
	words[Word.control] === initialControl &&
	words[Word.control + 1] === 0 &&
	areZero(words, Word.pointers, pointerWords) &&
	areZero(words, Word.x87, x87Words);

/** Copies a half of each vector to RAM, where they follow each other, or from there. */
function copyHalves(words: Int32Array, first: number, memory: PhysicalMemory, place: number, isSave: boolean): void {
	for (let register = 0; register < registers; register++) {
		const [at, to] = [first + register * vectorWords, place + register * halfWords * 4];
		if (isSave) memory.storeInts(to, words, at, halfWords);
		else memory.loadInts(to, words, at, halfWords);
	}
}

function clearHalves(words: Int32Array, first: number): void {
	for (let at = first; at < first + registers * vectorWords; at += vectorWords) words.fill(0, at, at + halfWords);
}

/** An area has control, status, tags, opcode and pointers of the x87 as the state has them, and its registers from ST(0) on. */
function saveX87({words, x87: {registers: stack}}: Core, memory: PhysicalMemory, place: number): void {
	memory.storeInts(place + FxPlace.control, words, Word.control, 2);
	memory.storeInts(place + FxPlace.instruction, words, Word.pointers, pointerWords);
	for (let index = 0; index < 8; index++) {
		const [from, to] = [
			Word.x87 + stack.physical(index) * registerWords,
			place + FxPlace.x87 + index * registerWords * 4,
		];
		memory.storeInts(to, words, from, 2);
		memory.writeHalves(to + 8, (words[from + 2] as number) & signExponent, 0);
	}
}

function restoreX87({words, x87: {registers: stack}}: Core, memory: PhysicalMemory, place: number): void {
	const control = memory.readInt(place + FxPlace.control);
	stack.status = control >>> 16;
	stack.control = control & 0xffff;
	words[Word.control + 1] = memory.readInt(place + FxPlace.tags) & opcodeAndTags;
	memory.loadInts(place + FxPlace.instruction, words, Word.pointers, pointerWords);
	for (let index = 0; index < 8; index++) {
		const [to, from] = [
			Word.x87 + stack.physical(index) * registerWords,
			place + FxPlace.x87 + index * registerWords * 4,
		];
		memory.loadInts(from, words, to, 2);
		words[to + 2] = memory.readInt(from + 8) & signExponent;
	}
}

/**
 * XSAVES to an area at a place in RAM, by 64-bit code, without a number of 64 bits and an array. Whether it may is asked before.
 * @param isWide - the x87's pointers have 64 bits there
 * @returns false, having done nothing, where the x87 is to be saved with others
 */
export function saveUsual(core: Core, memory: PhysicalMemory, place: number, isWide: boolean): boolean {
	const {words} = core;
	const wanted = (words[Word.accumulator] as number) & (words[Word.xcr0] as number);
	let used = 0;
	if ((wanted & x87) !== 0 && !isX87Initial(words)) {
		if (!isWide) return false;
		used |= x87;
		saveX87(core, memory, place);
	}
	if ((wanted & sse) !== 0 && (words[Word.mxcsr] !== initialMxcsr || !areHalvesZero(words, Word.lower))) {
		used |= sse;
		memory.writeHalves(place + FxPlace.mxcsr, words[Word.mxcsr] as number, mxcsrMask);
		copyHalves(words, Word.lower, memory, place + FxPlace.xmm, true);
	}
	if ((wanted & avx) !== 0 && !areHalvesZero(words, Word.upper)) {
		used |= avx;
		copyHalves(words, Word.upper, memory, place + ymmArea.start, true);
	}
	memory.writeHalves(place + XsaveHeader.xstateBv, used, 0);
	memory.writeHalves(place + XsaveHeader.xcompBv, wanted, compacted);
	return true;
}

/**
 * XRSTORS from such an area.
 * @returns false, having done nothing, where that holds the x87 with other pointers, or may not be restored from
 */
export function restoreUsual(core: Core, memory: PhysicalMemory, place: number, isWide: boolean): boolean {
	const {words} = core;
	const xcr0 = words[Word.xcr0] as number;
	const wanted = (words[Word.accumulator] as number) & xcr0;
	const header = (at: number) => memory.readInt(place + at);
	const [held, form] = [header(XsaveHeader.xstateBv), header(XsaveHeader.xcompBv)];
	let wrong = header(XsaveHeader.xstateBv + 4) | (header(XsaveHeader.xcompBv + 4) ^ compacted);
	for (let at: number = XsaveHeader.reserved; at < xsaveHeaderEnd; at += 4) wrong |= header(at);
	if ((wrong | (form & ~xcr0) | (held & ~form)) !== 0 || ((wanted & held & x87) !== 0 && !isWide)) return false;
	const mxcsr = (held & sse) === 0 ? initialMxcsr : header(FxPlace.mxcsr);
	if ((wanted & sse) !== 0) {
		if ((mxcsr & ~mxcsrMask) !== 0) return false;
		words[Word.mxcsr] = mxcsr;
		if ((held & sse) === 0) clearHalves(words, Word.lower);
		else copyHalves(words, Word.lower, memory, place + FxPlace.xmm, false);
	}
	if ((wanted & avx) !== 0) {
		if ((held & avx) === 0) clearHalves(words, Word.upper);
		else copyHalves(words, Word.upper, memory, place + ymmArea.start, false);
	}
	if ((wanted & held & x87) !== 0) restoreX87(core, memory, place);
	else if ((wanted & x87) !== 0 && !isX87Initial(words)) {
		words[Word.control] = initialControl;
		words[Word.control + 1] = 0;
		words.fill(0, Word.pointers, Word.pointers + pointerWords);
		words.fill(0, Word.x87, Word.x87 + x87Words);
	}
	return true;
}
