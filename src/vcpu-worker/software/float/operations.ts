import {add, type Binary, divide, multiply, multiplyAdd, type Signs, squareRoot, subtract} from './arithmetic.ts';
import {choose, status, test} from './comparisons.ts';
import {convert, fromInteger, toInteger, toIntegral} from './conversions.ts';
import {double, type Format, half, single, type Unpacked, unpack} from './format.ts';
import {type Environment, Exception, type Result, Rounding} from './rounding.ts';

/** An operation on the elements of operands, one after the other. */
export interface FloatOperation {
	/** Elements that it computes. */
	readonly count: number;
	/** Bits of one, in operands and in the result. */
	readonly from: Format['width'];
	readonly to: Format['width'];
	/** @param index - the element's number */
	compute(operands: Operands, environment: Environment, constant: number, index: number): Result;
}

/** Elements of the same number; operations of fewer operands do not look at the others. */
export type Operands = readonly [a: bigint, b: bigint, c: bigint];

/** An operation on operands of a size. */
export interface SizedOperation extends FloatOperation {
	/** Of the room that an operand has. */
	readonly bytes: number;
}

/** Endings of names: packed and scalar, single and double. */
export type FloatSuffix = 'ps' | 'pd' | 'ss' | 'sd';
const suffixes: Readonly<Record<FloatSuffix, {readonly count: number; readonly format: Format}>> = {
	ps: {count: 4, format: single},
	pd: {count: 2, format: double},
	ss: {count: 1, format: single},
	sd: {count: 1, format: double},
};

const all: readonly FloatSuffix[] = ['ps', 'pd', 'ss', 'sd'];
type Named = Readonly<Record<string, FloatOperation>>;
type Computation = (
	a: Unpacked,
	b: Unpacked,
	format: Format,
	environment: Environment,
	constant: number,
	index: number,
) => Result;

/** Operations whose result has the operands' format. */
function within(name: string, compute: Computation, of: readonly FloatSuffix[] = all): Named {
	return Object.fromEntries(
		of.map((suffix) => {
			const {count, format} = suffixes[suffix];
			const taken = (bits: bigint, {denormalsAreZero}: Environment) => unpack(bits, format, denormalsAreZero);
			const operation: FloatOperation = {
				count,
				from: format.width,
				to: format.width,
				compute: ([a, b], environment, ...rest) =>
					compute(taken(a, environment), taken(b, environment), format, environment, ...rest),
			};
			return [`${name}${suffix}`, operation];
		}),
	);
}

const scalar = ['ss', 'sd'] as const;
const packed = ['ps', 'pd'] as const;
const alternating: Computation = (a, b, format, environment, _, index) =>
	([subtract, add][index & 1] as Binary)(a, b, format, environment);

/** The constant chooses a rounding, or that of MXCSR, and whether it is told of (SDM volume 2, figure 4-24). */
const rounded: Computation = (_, b, format, environment, constant) => {
	const rounding = (constant & 4) === 0 ? constant & 3 : environment.rounding;
	const {bits, flags} = toIntegral(b, format, {...environment, rounding});
	return {bits, flags: (constant & 8) === 0 ? flags : flags & ~Exception.precision};
};

const between = (count: number, from: Format, to: Format): FloatOperation => ({
	count,
	from: from.width,
	to: to.width,
	compute: ([, b], environment) => convert(unpack(b, from, environment.denormalsAreZero), from, to, environment),
});
const toIntegers = (count: number, from: Format, to: 32 | 64, rounding?: number): FloatOperation => ({
	count,
	from: from.width,
	to,
	compute: ([, b], environment) =>
		toInteger(unpack(b, from, environment.denormalsAreZero), to, rounding ?? environment.rounding),
});
const fromIntegers = (count: number, from: 32 | 64, to: Format): FloatOperation => ({
	count,
	from,
	to: to.width,
	compute: ([, b], environment) => fromInteger(BigInt.asIntN(from, b), to, environment),
});

/** The first operand times the second, and the third; signs may go by the element's number. */
function fused(name: string, signsOf: (index: number) => Signs, of: readonly FloatSuffix[]): Named {
	return Object.fromEntries(
		of.map((suffix) => {
			const {count, format} = suffixes[suffix];
			const operation: FloatOperation = {
				count,
				from: format.width,
				to: format.width,
				compute: ([a, b, c], environment, _, index) => {
					const taken = (bits: bigint) => unpack(bits, format, environment.denormalsAreZero);
					return multiplyAdd([taken(a), taken(b), taken(c)], signsOf(index), format, environment);
				},
			};
			return [`${name}${suffix}`, operation];
		}),
	);
}

/** Signs of what is subtracted, of the negated product, or of none; and those that change from element to element. */
const fusedWith = (negatesProduct: boolean, negatesAddend: boolean) => (): Signs => ({negatesProduct, negatesAddend});
const fusedInTurn = (subtracts: 0 | 1) => (index: number) => fusedWith(false, (index & 1) === subtracts)();

/** Halves to singles: denormals are numbers like others, whatever MXCSR says (SDM volume 2, VCVTPH2PS). */
const fromHalves: FloatOperation = {
	count: 4,
	from: 16,
	to: 32,
	compute: ([, b], environment) => {
		const {bits, flags} = convert(unpack(b, half, false), half, single, environment);
		return {bits, flags: flags & ~Exception.denormal};
	},
};

/** Singles to halves, rounded as the constant says or MXCSR; tiny ones are never flushed (SDM volume 2, VCVTPS2PH). */
const toHalves: FloatOperation = {
	count: 4,
	from: 32,
	to: 16,
	compute: ([, b], environment, constant) => {
		const rounding = (constant & 4) === 0 ? constant & 3 : environment.rounding;
		const value = unpack(b, single, environment.denormalsAreZero);
		return convert(value, single, half, {...environment, rounding, flushesToZero: false});
	},
};

/** To general registers of both widths, to nearest or as MXCSR says, and truncated. */
const toGeneral = (suffix: 'ss' | 'sd'): Named =>
	Object.fromEntries(
		([32, 64] as const).flatMap((width) => [
			[`cvt${suffix}2si${width}`, toIntegers(1, suffixes[suffix].format, width)],
			[`cvtt${suffix}2si${width}`, toIntegers(1, suffixes[suffix].format, width, Rounding.towardZero)],
		]),
	);

/** Operations by the names of their instructions (SDM volume 2). */
const operations = {
	...within('add', add),
	...within('sub', subtract),
	...within('mul', multiply),
	...within('div', divide),
	...within('sqrt', (_, b, format, environment) => squareRoot(b, format, environment)),
	...fused('fmadd', fusedWith(false, false), all),
	...fused('fmsub', fusedWith(false, true), all),
	...fused('fnmadd', fusedWith(true, false), all),
	...fused('fnmsub', fusedWith(true, true), all),
	...fused('fmaddsub', fusedInTurn(0), packed),
	...fused('fmsubadd', fusedInTurn(1), packed),
	...within('min', choose('less')),
	...within('max', choose('greater')),
	...within('addsub', alternating, packed),
	...within('round', rounded),
	...within('cmp', (a, b, format, _, constant) => test(a, b, format, constant)),
	...within('comi', (a, b, format) => status(a, b, format, true), scalar),
	...within('ucomi', (a, b, format) => status(a, b, format, false), scalar),
	...toGeneral('ss'),
	...toGeneral('sd'),
	cvtsi2ss: fromIntegers(1, 64, single),
	cvtsi2sd: fromIntegers(1, 64, double),
	cvtps2pd: between(2, single, double),
	cvtpd2ps: between(2, double, single),
	cvtss2sd: between(1, single, double),
	cvtsd2ss: between(1, double, single),
	cvtdq2ps: fromIntegers(4, 32, single),
	cvtps2dq: toIntegers(4, single, 32),
	cvttps2dq: toIntegers(4, single, 32, Rounding.towardZero),
	cvtpd2dq: toIntegers(2, double, 32),
	cvttpd2dq: toIntegers(2, double, 32, Rounding.towardZero),
	cvtph2ps: fromHalves,
	cvtps2ph: toHalves,
} as const satisfies Named;

const names = Object.keys(operations);

/** Operations by their numbers: those of 128 bits, then those of 256. */
export const floatOperations: readonly SizedOperation[] = [1, 2].flatMap((halves) =>
	Object.values<FloatOperation>(operations).map(
		({count, ...rest}): SizedOperation => ({...rest, count: count * halves, bytes: 16 * halves}),
	),
);

/** Number of an operation. */
export function floatOperation(name: string, halves = 1): number {
	const number = names.indexOf(name);
	if (number < 0) throw new RangeError(`no operation is called ${name}`);
	return number + (halves - 1) * names.length;
}
