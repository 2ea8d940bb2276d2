/** Compares two states under a mask, and says in words where they differ. */
import type {ViewOf} from '#support/wire';
import {windowAddress} from './layout.ts';
import type {Mask} from './mask.ts';
import {generalRegisters, noVector, ProcessorState, Rflags, windowBytes} from './processor-state.ts';
import {isSameVectors, vectorDifferences} from './vector-difference.ts';

export type StateView = ViewOf<typeof ProcessorState>;

/** RF is set in the image that a handler finds, and does not outlive it. */
const resumeFlag = 0x1_0000;
const pageFault = 14;

/** Exceptions are compared with the whole of the state that their handler would find; a page fault with its address. */
export function differences(expected: StateView, actual: StateView, mask: Mask): readonly string[] {
	const [a, b] = [wordsOf(expected), wordsOf(actual)];
	if (isSame(a, b, mask)) return [];
	const found: string[] = [];
	const say = (what: string, want: bigint | number | undefined, got: bigint | number | undefined): void => {
		found.push(`${what} is ${hex(got)}, not ${hex(want)}`);
	};
	if (expected.vector !== actual.vector)
		found.push(`${exceptionName(actual.vector)}, not ${exceptionName(expected.vector)}`);
	else if (expected.vector !== noVector) {
		if (expected.errorCode !== actual.errorCode) say('error code', expected.errorCode, actual.errorCode);
		if (expected.vector === pageFault && expected.cr2 !== actual.cr2) say('CR2', expected.cr2, actual.cr2);
	}
	if (expected.rip !== actual.rip) say('RIP', expected.rip, actual.rip);
	const flags = (Number(expected.rflags) ^ Number(actual.rflags)) & comparedFlags(expected.vector, mask);
	if (flags !== 0) found.push(flagText(flags, Number(expected.rflags)));
	for (const [index, name] of generalRegisters.entries()) {
		const ignored = index === mask.register ? (BigInt(mask.registerHigh) << 32n) | BigInt(mask.registerLow) : 0n;
		const [want, got] = [expected.gpr[index] as bigint, actual.gpr[index] as bigint];
		if (((want ^ got) & ~ignored) !== 0n) say(name.toUpperCase(), want, got);
	}
	for (let at = 0; at < windowBytes; at++) {
		if (at >= mask.memoryStart && at < mask.memoryEnd) continue;
		const [want, got] = [expected.memory[at], actual.memory[at]];
		if (want !== got) say(`memory at ${hex(windowAddress + at)}`, want, got);
	}
	if (mask.hasVectors) found.push(...vectorDifferences(expected.xsave, actual.xsave, mask));
	return found;
}

/** Places of fields, in words. */
const word = (field: keyof typeof ProcessorState.fields & Parameters<typeof ProcessorState.offset>[0]): number =>
	ProcessorState.offset(field) / 4;
const at = {
	rip: word('rip'),
	rflags: word('rflags'),
	vector: word('vector'),
	errorCode: word('errorCode'),
	cr2: word('cr2'),
	xsave: word('xsave'),
	memory: word('memory'),
};

const wordsOf = ({$bytes}: StateView): Uint32Array =>
	new Uint32Array($bytes.buffer, $bytes.byteOffset, $bytes.byteLength / 4);

/** The same as no differences, in a form that costs little. */
function isSame(a: Uint32Array, b: Uint32Array, mask: Mask): boolean {
	const vector = a[at.vector] as number;
	if (vector !== b[at.vector]) return false;
	const {register} = mask;
	for (let index = 0; index < 32; index++) {
		if (a[index] === b[index]) continue;
		if (index >> 1 !== register) return false;
		const ignored = (index & 1) === 0 ? mask.registerLow : mask.registerHigh;
		if ((((a[index] as number) ^ (b[index] as number)) & ~ignored) !== 0) return false;
	}
	if (a[at.rip] !== b[at.rip] || a[at.rip + 1] !== b[at.rip + 1]) return false;
	if ((((a[at.rflags] as number) ^ (b[at.rflags] as number)) & comparedFlags(vector, mask)) !== 0) return false;
	if (vector !== noVector) {
		if (a[at.errorCode] !== b[at.errorCode]) return false;
		if (vector === pageFault && (a[at.cr2] !== b[at.cr2] || a[at.cr2 + 1] !== b[at.cr2 + 1])) return false;
	}
	const memoryEnd = at.memory + windowBytes / 4;
	const hasIgnored = mask.memoryEnd > mask.memoryStart;
	for (let index = at.memory; index < memoryEnd; index++) {
		if (a[index] !== b[index] && !hasIgnored) return false;
		if (a[index] !== b[index] && !isIgnoredWord(a, b, index, mask)) return false;
	}
	return !mask.hasVectors || isSameVectors(a, b, at.xsave, mask);
}

function isIgnoredWord(a: Uint32Array, b: Uint32Array, index: number, mask: Mask): boolean {
	const different = (a[index] as number) ^ (b[index] as number);
	for (let byte = 0; byte < 4; byte++) {
		const offset = 4 * (index - at.memory) + byte;
		const isIgnored = offset >= mask.memoryStart && offset < mask.memoryEnd;
		if (!isIgnored && ((different >>> (8 * byte)) & 0xff) !== 0) return false;
	}
	return true;
}

function comparedFlags(vector: number, mask: Mask): number {
	return ~(resumeFlag | (vector === noVector ? mask.flags : mask.exceptionFlags));
}

function flagText(different: number, expected: number): string {
	const named = Object.entries(Rflags).filter(([, bit]) => (different & bit) !== 0);
	const rest = named.reduce((bits, [, bit]) => bits & ~bit, different);
	const texts = named.map(([name, bit]) => `${name} is ${(expected & bit) === 0 ? 1 : 0}`);
	if (rest !== 0) texts.push(`RFLAGS differ in ${hex(rest >>> 0)}`);
	return texts.join(', ');
}

const names: Readonly<Record<number, string>> = {
	0: '#DE',
	1: '#DB',
	3: '#BP',
	6: '#UD',
	12: '#SS',
	13: '#GP',
	14: '#PF',
	16: '#MF',
	17: '#AC',
	19: '#XM',
};
const exceptionName = (vector: number): string =>
	vector === noVector ? 'no exception' : (names[vector] ?? `exception ${vector}`);

const hex = (value: bigint | number | undefined): string => `${value?.toString(16)}`;
