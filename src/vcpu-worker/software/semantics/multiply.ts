import {type Int, i64} from '#support/wasm';
import {signExtended} from './flags.ts';
import type {Meaning, Operation} from './operation.ts';

/** Vector of a divide error (SDM volume 3, 6.15). */
const divideError = 0;
const accumulator = 0;
const data = 2;

/** The high half of a product of two unsigned 64-bit numbers, of which WebAssembly has only the low one. */
function highProduct(op: Operation, a: Int<'i64'>, b: Int<'i64'>): Int<'i64'> {
	const {f} = op;
	const low = (x: Int<'i64'>) => x.and(0xffff_ffffn);
	const high = (x: Int<'i64'>) => x.shrU(32);
	const middle = f.let(
		high(a)
			.mul(low(b))
			.add(high(low(a).mul(low(b)))),
	);
	const other = f.let(low(a).mul(high(b)).add(low(middle)));
	return high(a).mul(high(b)).add(high(middle)).add(high(other));
}

/** The high half of a product of two signed numbers. */
function highSignedProduct(op: Operation, a: Int<'i64'>, b: Int<'i64'>): Int<'i64'> {
	return highProduct(op, a, b).sub(a.shrS(63).and(b)).sub(b.shrS(63).and(a));
}

/** Both halves of a product, in the operation's type, and whether the high one holds anything. */
export function multiplied(
	op: Operation,
	a: Int,
	b: Int,
	isSigned: boolean,
): {low: Int; high: Int; overflow: Int<'i32'>} {
	const {f, width} = op;
	if (width === 64) {
		const [x, y] = [f.let(a as Int<'i64'>), f.let(b as Int<'i64'>)];
		const low = f.let(x.mul(y));
		const high = f.let(isSigned ? highSignedProduct(op, x, y) : highProduct(op, x, y));
		return {low, high, overflow: isSigned ? high.ne(low.shrS(63)) : high.ne(0)};
	}
	const wide = (x: Int) => (isSigned ? signExtended(x, width) : x.toI64U());
	const product = f.let(wide(a).mul(wide(b)));
	const low = f.let(product.toI32());
	return {
		low,
		high: f.let(product.shrU(width).toI32()),
		overflow: isSigned ? product.ne(signExtended(low, width)) : product.shrU(width).ne(0),
	};
}

/** MUL and IMUL with one operand: the accumulator times `b`. */
const multiply =
	(isSigned: boolean): Meaning =>
	(op) => {
		const {low, high, overflow} = multiplied(op, op.readRegister(accumulator, op.width), op.read('b'), isSigned);
		const both = op.f.let(overflow);
		if (op.width === 8) {
			op.writeRegister(accumulator, 16, low.and(0xff).or(high.shl(8)));
		} else {
			op.writeRegister(accumulator, op.width, low);
			op.writeRegister(data, op.width, high);
		}
		op.flags.setResult(low, op.width);
		op.flags.setCarryAndOverflow(both, both);
	};

/** DIV and IDIV: DX:AX, of bytes AX, by `b`. */
const divide =
	(isSigned: boolean): Meaning =>
	(op) => {
		const {f, width} = op;
		const divisor = f.let(isSigned ? op.readSigned('b') : op.read('b').toI64U());
		f.if(divisor.isZero(), () => op.raise(divideError));
		if (width === 64) {
			divideWide(op, divisor, isSigned);
			return;
		}
		const low = op.readRegister(accumulator, width === 8 ? 16 : width).toI64U();
		const joined = width === 8 ? low : op.readRegister(data, width).toI64U().shl(width).or(low);
		const dividend = f.let(isSigned && width < 32 ? signExtended(joined.toI32(), width === 8 ? 16 : 32) : joined);
		if (isSigned && width === 32) f.if(dividend.eq(1n << 63n).and(divisor.eq(-1)), () => op.raise(divideError));
		const quotient = f.let(isSigned ? dividend.divS(divisor) : dividend.divU(divisor));
		const fits = isSigned ? quotient.eq(signExtended(quotient.toI32(), width)) : quotient.shrU(width).eq(0);
		f.if(fits.isZero(), () => op.raise(divideError));
		const remainder = f.let(isSigned ? dividend.remS(divisor) : dividend.remU(divisor));
		if (width === 8) op.writeRegister(accumulator, 16, quotient.and(0xff).or(remainder.shl(8)).toI32());
		else {
			op.writeRegister(accumulator, width, quotient.toI32());
			op.writeRegister(data, width, remainder.toI32());
		}
	};

/** 128 by 64 bits: on magnitudes, bit by bit where the high half is not empty. */
function divideWide(op: Operation, divisor: Int<'i64'>, isSigned: boolean): void {
	const {f} = op;
	const low = f.let(op.readRegister(accumulator, 64) as Int<'i64'>);
	const high = f.let(op.readRegister(data, 64) as Int<'i64'>);
	const negative = f.let(high.shrS(63));
	const by = f.let(divisor);
	if (isSigned) {
		// The magnitude of 128 bits: complement and add one where it is negative.
		f.set(low, low.xor(negative).sub(negative));
		f.set(high, high.xor(negative).add(low.isZero().toI64U().and(negative)));
		f.set(by, by.xor(by.shrS(63)).sub(by.shrS(63)));
	}
	f.if(high.geU(by), () => op.raise(divideError));
	const quotient = f.local('i64');
	const remainder = f.local('i64');
	f.if(
		high.isZero(),
		() => {
			f.set(quotient, low.divU(by));
			f.set(remainder, low.remU(by));
		},
		() => {
			f.set(remainder, high);
			f.set(quotient, low);
			const turns = f.let(i64(64));
			f.loop((again) => {
				const carry = f.let(remainder.shrU(63).toI32());
				f.set(remainder, remainder.shl(1).or(quotient.shrU(63)));
				f.set(quotient, quotient.shl(1));
				f.if(carry.or(remainder.geU(by)), () => {
					f.set(remainder, remainder.sub(by));
					f.set(quotient, quotient.or(1));
				});
				f.set(turns, turns.sub(1));
				f.brIf(again, turns.ne(0));
			});
		},
	);
	if (isSigned) {
		const sign = f.let(negative.xor(divisor.shrS(63)));
		// A quotient of -2^63 is the one that fits only with its sign.
		f.if(quotient.gtU(i64(1n << 63n).sub(sign.isZero().toI64U())), () => op.raise(divideError));
		f.set(quotient, quotient.xor(sign).sub(sign));
		f.set(remainder, remainder.xor(negative).sub(negative));
	}
	op.writeRegister(accumulator, 64, quotient);
	op.writeRegister(data, 64, remainder);
}

/** Multiplication and division (SDM volume 2). */
export const multiplication = {
	mul: multiply(false),
	imulWide: multiply(true),
	/** IMUL with two or three operands: `a` is `b` times `c`. */
	imul: (op) => {
		const {low, overflow} = multiplied(op, op.read('b'), op.read('c'), true);
		const both = op.f.let(overflow);
		op.flags.setResult(low, op.width);
		op.flags.setCarryAndOverflow(both, both);
		op.write('a', low);
	},
	div: divide(false),
	idiv: divide(true),
} as const satisfies Record<string, Meaning>;
