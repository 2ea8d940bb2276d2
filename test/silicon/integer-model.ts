/**
 * A dozen instructions as the manual's operation sections have them (SDM volume 2), in plain arithmetic: what the oracle itself is
 * tested with. Flags that the manual calls undefined are not among the answer's.
 */
import {Rflags, type StatusFlag} from './processor-state.ts';

export type Width = 8 | 16 | 32 | 64;
export type Flags = Partial<Readonly<Record<StatusFlag, boolean>>>;
export interface Answer {
	/** The destination; none where the instruction only sets flags. */
	readonly result?: bigint;
	/** Those that the instruction defines; others that it does not touch are not listed either. */
	readonly flags: Flags;
}
/** `a` is the destination, `b` the source or count. */
export type Model = (a: bigint, b: bigint, width: Width, carry: boolean) => Answer;

const bit = (value: bigint, index: number | bigint): boolean => ((value >> BigInt(index)) & 1n) !== 0n;
const cut = (value: bigint, width: Width): bigint => BigInt.asUintN(width, value);

function evenParity(value: bigint): boolean {
	let isEven = true;
	for (let index = 0; index < 8; index++) if (bit(value, index)) isEven = !isEven;
	return isEven;
}

const resultFlags = (result: bigint, width: Width): Flags => ({
	ZF: result === 0n,
	SF: bit(result, width - 1),
	PF: evenParity(result),
});

function addition(a: bigint, b: bigint, carry: bigint, width: Width): Answer {
	const result = cut(a + b + carry, width);
	const flags: Flags = {
		...resultFlags(result, width),
		CF: a + b + carry !== result,
		OF: bit((a ^ result) & (b ^ result), width - 1),
		AF: bit(a ^ b ^ result, 4),
	};
	return {result, flags};
}

function subtraction(a: bigint, b: bigint, borrow: bigint, width: Width): Answer {
	const result = cut(a - b - borrow, width);
	const flags: Flags = {
		...resultFlags(result, width),
		CF: a < b + borrow,
		OF: bit((a ^ b) & (a ^ result), width - 1),
		AF: bit(a ^ b ^ result, 4),
	};
	return {result, flags};
}

function logic(result: bigint, width: Width): Answer {
	return {result, flags: {...resultFlags(result, width), CF: false, OF: false}};
}

const keepCarry = ({flags: {CF: _, ...flags}, ...answer}: Answer): Answer => ({...answer, flags});

/** The count as the processor takes it: its low five bits, or six for 64-bit operands. */
const maskedCount = (count: bigint, width: Width): number => Number(count & (width === 64 ? 63n : 31n));

function shift(a: bigint, count: bigint, width: Width, carryOut: (n: number) => boolean, full: (n: number) => bigint) {
	const n = maskedCount(count, width);
	if (n === 0) return {result: a, flags: {}};
	const result = cut(full(n), width);
	return {n, result, flags: resultFlags(result, width), carryOut: carryOut(n)};
}

const signed = (value: bigint, width: Width): bigint => BigInt.asIntN(width, value);

function shiftLeft(a: bigint, count: bigint, width: Width): Answer {
	const {
		n,
		result,
		flags,
		carryOut = false,
	} = shift(
		a,
		count,
		width,
		(by) => bit(a, width - by),
		(by) => a << BigInt(by),
	);
	if (n === undefined) return {result, flags};
	const carry = n < width ? {CF: carryOut} : {};
	return {result, flags: {...flags, ...carry, ...(n === 1 && {OF: bit(result, width - 1) !== carryOut})}};
}

function shiftRight(a: bigint, count: bigint, width: Width, isSigned: boolean): Answer {
	const value = isSigned ? signed(a, width) : a;
	const {
		n,
		result,
		flags,
		carryOut = false,
	} = shift(
		a,
		count,
		width,
		(by) => bit(value, by - 1),
		(by) => value >> BigInt(by),
	);
	if (n === undefined) return {result, flags};
	const carry = isSigned || n < width ? {CF: carryOut} : {};
	return {result, flags: {...flags, ...carry, ...(n === 1 && {OF: !isSigned && bit(a, width - 1)})}};
}

/** Rotates `value`, which has `size` bits. */
const rotated = (value: bigint, size: number, left: number): bigint => {
	const by = BigInt(left % size);
	return BigInt.asUintN(size, (value << by) | (value >> (BigInt(size) - by)));
};

function rotateLeft(a: bigint, count: bigint, width: Width): Answer {
	const n = maskedCount(count, width);
	if (n === 0) return {result: a, flags: {}};
	const result = rotated(a, width, n);
	const CF = bit(result, 0);
	return {result, flags: {CF, ...(n === 1 && {OF: bit(result, width - 1) !== CF})}};
}

function rotateRight(a: bigint, count: bigint, width: Width): Answer {
	const n = maskedCount(count, width);
	if (n === 0) return {result: a, flags: {}};
	const result = rotated(a, width, width - (n % width));
	const top = bit(result, width - 1);
	return {result, flags: {CF: top, ...(n === 1 && {OF: top !== bit(result, width - 2)})}};
}

/** Through the carry flag, which is one bit more. */
function rotateCarry(a: bigint, count: bigint, width: Width, carry: boolean, isLeft: boolean): Answer {
	const masked = maskedCount(count, width);
	const n = masked % (width + 1);
	if (masked === 0) return {result: a, flags: {}};
	const all = (carry ? 1n << BigInt(width) : 0n) | a;
	const after = rotated(all, width + 1, isLeft ? n : width + 1 - n);
	const result = cut(after, width);
	const CF = bit(after, width);
	const OF = isLeft ? bit(result, width - 1) !== CF : bit(result, width - 1) !== bit(result, width - 2);
	return {result, flags: {CF, ...(masked === 1 && {OF})}};
}

function multiply(a: bigint, b: bigint, width: Width): Answer {
	const product = signed(a, width) * signed(b, width);
	const result = cut(product, width);
	const isTooLarge = signed(result, width) !== product;
	return {result, flags: {CF: isTooLarge, OF: isTooLarge}};
}

function population(value: bigint): bigint {
	let count = 0n;
	for (let rest = value; rest !== 0n; rest >>= 1n) count += rest & 1n;
	return count;
}

export const integerModels = {
	add: (a, b, width) => addition(a, b, 0n, width),
	adc: (a, b, width, carry) => addition(a, b, carry ? 1n : 0n, width),
	sub: (a, b, width) => subtraction(a, b, 0n, width),
	sbb: (a, b, width, carry) => subtraction(a, b, carry ? 1n : 0n, width),
	cmp: (a, b, width) => ({flags: subtraction(a, b, 0n, width).flags}),
	and: (a, b, width) => logic(a & b, width),
	or: (a, b, width) => logic(a | b, width),
	xor: (a, b, width) => logic(a ^ b, width),
	test: (a, b, width) => ({flags: logic(a & b, width).flags}),
	inc: (a, _b, width) => keepCarry(addition(a, 1n, 0n, width)),
	dec: (a, _b, width) => keepCarry(subtraction(a, 1n, 0n, width)),
	neg: (a, _b, width) => subtraction(0n, a, 0n, width),
	not: (a, _b, width) => ({result: cut(~a, width), flags: {}}),
	shl: shiftLeft,
	shr: (a, b, width) => shiftRight(a, b, width, false),
	sar: (a, b, width) => shiftRight(a, b, width, true),
	rol: rotateLeft,
	ror: rotateRight,
	rcl: (a, b, width, carry) => rotateCarry(a, b, width, carry, true),
	rcr: (a, b, width, carry) => rotateCarry(a, b, width, carry, false),
	imul: multiply,
	popcnt: (_a, b) => ({
		result: population(b),
		flags: {ZF: b === 0n, CF: false, OF: false, SF: false, AF: false, PF: false},
	}),
} as const satisfies Readonly<Record<string, Model>>;

/** RFLAGS bits of flags that are known: which are known, and which are set. */
export function flagBits(flags: Flags): {readonly known: number; readonly set: number} {
	let known = 0;
	let set = 0;
	for (const [name, value] of Object.entries(flags)) {
		known |= Rflags[name as StatusFlag];
		if (value) set |= Rflags[name as StatusFlag];
	}
	return {known, set};
}
