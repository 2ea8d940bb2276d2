/** Floating point numbers and packed integers that instructions treat differently, more often than chance would have them. */
import type {Element} from './form.ts';
import type {Random} from './random.ts';
import {writeValue} from './values.ts';

/** A format of IEEE 754, as its highest word holds it; the double's fraction goes on in a lower word. */
interface Format {
	readonly exponentBits: number;
	readonly words: 1 | 2;
}
const single: Format = {exponentBits: 8, words: 1};
const double: Format = {exponentBits: 11, words: 2};
/** The exponents of singles, as doubles have them: their denormals begin and their largest end here. */
const singleRange = {smallest: 1023 - 126, largest: 1023 + 127};
const signBit = 0x8000_0000;
/** Exponents at which numbers of 80 bits become denormals, zeros and infinities of the narrower formats, relative to one. */
const narrowerLimits = [-149, -126, 127, -1074, -1022, 1023];

/** Fills words, of which there are as many as a number of elements needs or one, with values of a kind. */
export function writeElements(words: Uint32Array, at: number, count: number, element: Element, random: Random): void {
	if (element === 'integer') writeIntegers(words, at, count, random);
	else if (element === 'single')
		for (let index = 0; index < count; index++) writeFloat(words, at + index, single, random);
	else if (element === 'double')
		for (let index = 0; index + 1 < count; index += 2) writeFloat(words, at + index, double, random);
	else if (element === 'extended') writeExtended(words, at, random);
	else writeDecimal(words, at, random);
}

/** Bytes, words or double words around zero, the largest and the smallest, of either kind of sign; or 64-bit values. */
function writeIntegers(words: Uint32Array, at: number, count: number, random: Random): void {
	const kind = random.below(5);
	for (let index = 0; index < count; index++) {
		if (kind === 4 && index + 1 < count && (index & 1) === 0) writeValue(words, at + index++, random);
		else if (kind === 4 || kind === 3) words[at + index] = random.u32();
		else words[at + index] = packed(kind, random);
	}
}

/** A word of lanes of 8, 16 or 32 bits. */
function packed(kind: number, random: Random): number {
	const bits = 8 << kind;
	let value = 0;
	for (let at = 0; at < 32; at += bits) value |= lane(bits, random) << at;
	return value >>> 0;
}

function lane(bits: number, random: Random): number {
	const choice = random.u32();
	const near = ((choice >>> 8) & 3) - 1;
	const mask = bits === 32 ? -1 : (1 << bits) - 1;
	switch (choice & 7) {
		case 0:
			return near & mask;
		case 1:
			return (near + 2 ** (bits - 1)) & mask;
		case 2:
			return (near - ((2 ** (bits / 2 - 1)) & -1)) & mask;
		case 3:
			return (near + 2 ** (bits / 2)) & mask;
		default:
			return random.u32() & mask;
	}
}

/** One number of a format at a place in words. */
function writeFloat(words: Uint32Array, at: number, format: Format, random: Random): void {
	const choice = random.u32();
	const high = at + format.words - 1;
	if (format.words === 2) words[at] = 0;
	const {exponentBits} = format;
	const fractionBits = 31 - exponentBits;
	writeFraction(words, at, fractionBits, format, random);
	const fraction = (words[high] as number) & ((1 << fractionBits) - 1);
	const exponent = exponentOf(choice >>> 8, exponentBits, random);
	words[high] = ((choice & signBit) | (exponent << fractionBits) | fraction) >>> 0;
	if ((choice & 0x1f) === 0) {
		words[high] = choice & signBit;
		if (format.words === 2) words[at] = 0;
	}
}

/** Of zeros and denormals, infinities and NaNs; at both ends; near one; where products and quotients reach the ends; any. */
function exponentOf(choice: number, bits: number, random: Random): number {
	const largest = (1 << bits) - 1;
	const bias = largest >> 1;
	switch (choice & 15) {
		case 0:
			return 0;
		case 1:
			return largest;
		case 2:
			return random.oneIn(2) ? 1 + random.below(2) : largest - 1 - random.below(2);
		case 3:
			return (bias >> 1) + random.below(32) - 16;
		case 4:
			return bias + (bias >> 1) + random.below(32) - 16;
		case 5:
			return random.below(largest);
		case 6:
			// The ends of integers, signed and not.
			return bias + random.pick([7, 15, 31, 63]) + random.below(3) - 1;
		case 7:
			if (bits === 8) return 1 + random.below(30);
			if (bits === 15) return bias + random.pick(narrowerLimits) + random.below(5) - 2;
			return random.oneIn(3) ? singleRange.largest + random.below(3) - 1 : singleRange.smallest + 2 - random.below(28);
		case 8:
		case 9:
			return bias + random.below(8) - 4;
		default:
			return bias + random.below(8 * bits) - 4 * bits;
	}
}

/** None, one or the highest bits of it set, all, or any; or such that it lies at the middle of two singles, or beside it. */
function writeFraction(words: Uint32Array, at: number, highBits: number, format: Format, random: Random): void {
	const high = at + format.words - 1;
	const shape = random.below(8);
	const bits = highBits + 32 * (format.words - 1);
	const bit = random.below(bits);
	const setFrom = (from: number, to: number): void => {
		for (let index = from; index < to; index++) {
			const word = index >= 32 ? at + 1 : at;
			words[word] = ((words[word] as number) | (1 << (index & 31))) >>> 0;
		}
	};
	words[at] = 0;
	words[high] = 0;
	if (shape === 1) setFrom(0, bits);
	else if (shape === 2) setFrom(bit, bit + 1);
	else if (shape === 3) setFrom(bit, bits);
	else if (shape > 3) {
		words[at] = random.u32();
		words[high] = random.u32();
		if (shape === 4) clearBelow(words, at, bit, format.words);
		// A double has 29 bits more than a single.
		if (shape === 5 && format.words === 2)
			words[at] =
				(((words[at] as number) & 0xe000_0000) | random.pick([0x1000_0000, 0x0fff_ffff, 0x1000_0001, 1])) >>> 0;
	}
}

function clearBelow(words: Uint32Array, at: number, bit: number, count: number): void {
	if (bit >= 32 || count === 1) words[at + count - 1] = (words[at + count - 1] as number) & (-1 << (bit & 31));
	if (count === 2) words[at] = bit >= 32 ? 0 : (words[at] as number) & (-1 << bit);
}

/**
 * A number of 80 bits, or a NaN; now and then with an integer bit that does not go with its exponent, which the processor does not support, or
 * which makes a denormal one of the other kind.
 */
function writeExtended(words: Uint32Array, at: number, random: Random): void {
	const choice = random.u32();
	writeFraction(words, at, 31, double, random);
	// At the middle of two singles or doubles, or beside it.
	if ((choice & 7) === 0) {
		words[at + 1] = ((words[at + 1] as number) & 0xffff_ff00) | 0x80;
		words[at] = random.below(3) - 1;
	} else if ((choice & 7) === 1) words[at] = ((words[at] as number) & 0xffff_f800) | random.pick([0x400, 0x3ff, 0x401]);
	const isZero = (choice & 0x1f0) === 0;
	const exponent = isZero ? 0 : exponentOf(choice >>> 12, 15, random);
	const hasInteger = (exponent !== 0) !== ((choice & 0xe00) === 0 && random.oneIn(4));
	if (isZero) words[at] = words[at + 1] = 0;
	else words[at + 1] = (((words[at + 1] as number) & 0x7fff_ffff) | (hasInteger ? signBit : 0)) >>> 0;
	words[at + 2] = (random.below(2) << 15) | exponent;
	words[at + 3] = 0;
}

/** 18 decimal digits and a sign; the other bits of its byte are any. */
function writeDecimal(words: Uint32Array, at: number, random: Random): void {
	const last = random.below(19);
	for (let index = 0; index < 4; index++) words[at + index] = 0;
	for (let digit = 0; digit < 18; digit++) {
		const value = digit >= last ? 0 : random.oneIn(4) ? 9 : random.below(10);
		words[at + (digit >> 3)] = (words[at + (digit >> 3)] as number) | (value << (4 * (digit & 7)));
	}
	words[at + 2] = ((words[at + 2] as number) & 0xff) | (random.below(256) << 8);
}
