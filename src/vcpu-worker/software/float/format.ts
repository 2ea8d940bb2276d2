/** A binary format of IEEE 754 (SDM volume 1, table 4-3). */
export interface Format {
	/** Bits of a number. */
	readonly width: 16 | 32 | 64;
	/** Bits of its significand, with the first one, which is not stored. */
	readonly precision: number;
	/** What is added to an exponent to store it; the largest exponent too. */
	readonly bias: number;
}

/** What F16C converts (SDM volume 1, 14.4). */
export const half: Format = {width: 16, precision: 11, bias: 15};
export const single: Format = {width: 32, precision: 24, bias: 127};
export const double: Format = {width: 64, precision: 53, bias: 1023};

/** A number taken apart. */
export interface Unpacked {
	readonly kind: 'nan' | 'infinity' | 'finite';
	readonly isNegative: boolean;
	/** A finite number is this times two to the `exponent`. */
	readonly significand: bigint;
	readonly exponent: number;
	readonly isDenormal: boolean;
	/** A NaN that raises an exception where it is used. */
	readonly isSignaling: boolean;
	readonly bits: bigint;
}

const fractionBits = ({precision}: Format): bigint => BigInt(precision - 1);
export const signOf = ({width}: Format): bigint => 1n << BigInt(width - 1);
export const infinityOf = (format: Format): bigint => BigInt(2 * format.bias + 1) << fractionBits(format);
const quietBitOf = (format: Format): bigint => 1n << (fractionBits(format) - 1n);

/** The quiet NaN that stands for no result (SDM volume 1, 4.8.3.7). */
export const indefiniteOf = (format: Format): bigint => signOf(format) | infinityOf(format) | quietBitOf(format);

/** The same NaN, quiet. */
export const quieted = (bits: bigint, format: Format): bigint => bits | quietBitOf(format);

/** The same NaN in another format, quiet: of its fraction the highest bits stay. */
export function movedNan({bits, isNegative}: Unpacked, from: Format, to: Format): bigint {
	const fraction = quieted(bits, from) & ((1n << fractionBits(from)) - 1n);
	const more = fractionBits(to) - fractionBits(from);
	return (isNegative ? signOf(to) : 0n) | infinityOf(to) | (more < 0n ? fraction >> -more : fraction << more);
}

/** Takes a number apart; with `denormalsAreZero` a denormal counts as a zero of its sign. */
export function unpack(bits: bigint, format: Format, denormalsAreZero: boolean): Unpacked {
	const isNegative = (bits & signOf(format)) !== 0n;
	const magnitude = bits & ~signOf(format);
	const fraction = magnitude & ((1n << fractionBits(format)) - 1n);
	const stored = Number(magnitude >> fractionBits(format));
	const isAtEnd = stored === 2 * format.bias + 1;
	const isSmall = stored === 0;
	const isZero = isSmall && (fraction === 0n || denormalsAreZero);
	return {
		kind: !isAtEnd ? 'finite' : fraction === 0n ? 'infinity' : 'nan',
		isNegative,
		significand: isZero ? 0n : isSmall ? fraction : fraction | (1n << fractionBits(format)),
		exponent: Math.max(stored, 1) - format.bias - (format.precision - 1),
		isDenormal: isSmall && !isZero,
		isSignaling: isAtEnd && fraction !== 0n && (fraction & quietBitOf(format)) === 0n,
		bits,
	};
}
