import {denormalFlag} from './arithmetic.ts';
import {type Format, signOf, type Unpacked} from './format.ts';
import {type Environment, Exception, type Result} from './rounding.ts';

type Order = 'less' | 'equal' | 'greater' | 'unordered';

/** Place of a number among those of its format. */
function rankOf({kind, isNegative, significand, bits}: Unpacked, format: Format): bigint {
	if (kind === 'finite' && significand === 0n) return 0n;
	const magnitude = bits & ~signOf(format);
	return isNegative ? -magnitude : magnitude;
}

/** The order of two numbers; a NaN is an exception where it signals, or where no NaN is wanted. */
function compare(a: Unpacked, b: Unpacked, format: Format, wantsNone: boolean): {order: Order; flags: number} {
	if (a.kind === 'nan' || b.kind === 'nan') {
		const isInvalid = wantsNone || a.isSignaling || b.isSignaling;
		return {order: 'unordered', flags: isInvalid ? Exception.invalid : 0};
	}
	const [one, other] = [rankOf(a, format), rankOf(b, format)];
	return {order: one < other ? 'less' : one > other ? 'greater' : 'equal', flags: denormalFlag(a, b)};
}

/** MIN and MAX: the first operand where it is the wanted one, else the second (SDM volume 2, MINPS). */
export const choose =
	(wanted: 'less' | 'greater') =>
	(a: Unpacked, b: Unpacked, format: Format, {denormalsAreZero}: Environment): Result => {
		const {order, flags} = compare(a, b, format, true);
		const {kind, bits, significand} = order === wanted ? a : b;
		const isZero = denormalsAreZero && kind === 'finite' && significand === 0n;
		return {bits: isZero ? bits & signOf(format) : bits, flags};
	};

/** Orders for which predicates hold by their low bits; with bit 2 they are the opposite (SDM volume 2, table 3-1). */
const predicates: readonly (readonly Order[])[] = [['equal'], ['less'], ['less', 'equal'], ['unordered']];

/** All ones where a predicate holds, else zeros. */
export function test(a: Unpacked, b: Unpacked, format: Format, predicate: number): Result {
	const has = (bit: number) => (predicate & bit) !== 0;
	const kind = predicate & 3;
	// Bit 4 exchanges those that want no NaN and those that take it, bit 3 says otherwise of a NaN alone.
	const {order, flags} = compare(a, b, format, (kind === 1 || kind === 2) !== has(16));
	const isListed = (predicates[kind] as readonly Order[]).includes(order) !== has(4);
	const holds = isListed !== (order === 'unordered' && has(8));
	return {bits: holds ? (signOf(format) << 1n) - 1n : 0n, flags};
}

/** Status flags of an order: CF, PF, ZF (SDM volume 2, COMISD). */
const statusOf: Readonly<Record<Order, bigint>> = {unordered: 0x45n, equal: 0x40n, less: 1n, greater: 0n};

/** The order as status flags. */
export function status(a: Unpacked, b: Unpacked, format: Format, wantsNone: boolean): Result {
	const {order, flags} = compare(a, b, format, wantsNone);
	return {bits: statusOf[order], flags};
}
