import {type Int, i32, i64} from '#support/wasm';
import {signExtended} from './flags.ts';
import type {Meaning, Operation} from './operation.ts';

/** Counts are taken modulo 32, of 64-bit operands modulo 64 (SDM volume 2, SAL/SAR/SHL/SHR). */
function countOf(op: Operation, operand: 'b' | 'c' = 'b'): Int<'i32'> {
	const mask = op.width === 64 ? 63 : 31;
	const known = op.known(operand);
	return known === undefined ? op.f.let(op.read(operand, 8).toI32().and(mask)) : i32(Number(known & BigInt(mask)));
}

/** Does one thing or the other, by whether a count is 0: where that is known, without a branch. */
function byCount(
	op: Operation,
	by: Int<'i32'>,
	shift: () => void,
	otherwise: (() => void) | undefined,
	operand: 'b' | 'c' = 'b',
): void {
	const known = op.known(operand);
	if (known === undefined) op.f.if(by, shift, otherwise);
	else if ((known & (op.width === 64 ? 63n : 31n)) !== 0n) shift();
	else otherwise?.();
}

const bit = (value: Int, at: number): Int<'i32'> => value.shrU(at).toI32().and(1);
const highBit = (op: Operation, value: Int): Int<'i32'> => bit(value, op.width - 1);
const count = (op: Operation, value: Int<'i32'>): Int => (op.type === 'i64' ? value.toI64U() : value);

/**
 * A shift, which with a count of 0 changes no flag.
 * @param shift - gives the result, CF and OF; OF is defined for a count of 1
 */
function shifting(
	shift: (
		op: Operation,
		value: Int,
		by: Int,
		shiftCount: Int<'i32'>,
	) => {result: Int; carry: Int<'i32'>; overflow(): Int<'i32'>},
): Meaning {
	return (op) => {
		const shiftCount = countOf(op);
		const value = op.f.let(op.read('a'));
		byCount(
			op,
			shiftCount,
			() => {
				const {result, carry, overflow} = shift(op, value, count(op, shiftCount), shiftCount);
				op.flags.setResult(result, op.width);
				const carryFlag = op.f.let(carry);
				op.flags.setCarryAndOverflow(carryFlag, overflow());
				op.write('a', result);
			},
			// 32 bits clear the rest of the register whatever the count.
			op.width === 32 ? () => op.write('a', value) : undefined,
		);
	};
}

const shl = shifting((op, value, by, shiftCount) => {
	const {f, width} = op;
	const result = f.let(value.shl(by));
	// CF is the last bit that left: with 32 and 64 bits it is no more in the result's word.
	const carry = f.let(width >= 32 ? bit1(value.shrU(count(op, i32(width).sub(shiftCount)))) : bit(result, width));
	return {result, carry, overflow: () => highBit(op, result).xor(carry)};
});
const bit1 = (value: Int): Int<'i32'> => value.toI32().and(1);

const shr = shifting((op, value, by, shiftCount) => {
	const result = op.f.let(value.shrU(by));
	const carry = op.f.let(bit1(value.shrU(count(op, shiftCount.sub(1)))));
	// With a count of 1 the highest bit before, else 0: that of the result and of the one below it differ just then.
	return {result, carry, overflow: () => bit(result, op.width - 2)};
});

const sar = shifting((op, value, by, shiftCount) => {
	const extended = op.f.let(op.type === 'i64' ? value : signExtended(value, op.width).toI32());
	const result = op.f.let(extended.shrS(by));
	const carry = op.f.let(bit1(extended.shrS(count(op, shiftCount.sub(1)))));
	return {result, carry, overflow: () => i32(0)};
});

/** A rotation: SF, ZF, AF and PF stay. */
function rotating(direction: 'rotl' | 'rotr'): Meaning {
	return (op) => {
		const {f, width} = op;
		const shiftCount = countOf(op);
		const value = f.let(op.read('a'));
		byCount(
			op,
			shiftCount,
			() => {
				// Copies of a narrow operand fill a word, which rotates as the operand does.
				const filled = width >= 32 ? value : value.mul(width === 8 ? 0x0101_0101 : 0x0001_0001);
				const result = f.let(filled[direction](count(op, shiftCount)));
				const top = highBit(op, result);
				const carry = f.let(direction === 'rotl' ? bit1(result) : top);
				op.flags.changeCarryAndOverflow(carry, direction === 'rotl' ? top.xor(carry) : top.xor(bit(result, width - 2)));
				op.write('a', result);
			},
			width === 32 ? () => op.write('a', value) : undefined,
		);
	};
}

/** A rotation through CF, which makes `width + 1` bits of the operand. */
function rotatingThroughCarry(direction: 'left' | 'right'): Meaning {
	return (op) => {
		const {f, width} = op;
		const masked = countOf(op);
		const turns = f.let(width < 32 ? masked.remU(width + 1) : masked);
		const value = f.let(op.read('a'));
		f.if(
			turns,
			() => {
				const carryIn = f.let(op.flags.carry().toI64U());
				const wide = f.let(value.toI64U());
				const by = f.let(turns.toI64U());
				const rest = f.let(i64(width + 1).sub(by));
				// CF goes in at the bit that the two shifts leave out. A shift by 64 would be one by 0: it is made of two.
				const left = (x: Int<'i64'>, times: Int<'i64'>) => x.shl(times.sub(1)).shl(1);
				const right = (x: Int<'i64'>, times: Int<'i64'>) => x.shrU(times.sub(1)).shrU(1);
				const ring = (forth: Int<'i64'>, back: Int<'i64'>) =>
					left(wide, forth)
						.or(carryIn.shl(forth.sub(1)))
						.or(right(wide, back));
				const result = f.let(direction === 'left' ? ring(by, rest) : ring(rest, by));
				const carry = f.let(
					direction === 'left' ? wide.shrU(i64(width).sub(by)).toI32().and(1) : wide.shrU(by.sub(1)).toI32().and(1),
				);
				const top = bit(result, width - 1);
				op.flags.changeCarryAndOverflow(carry, direction === 'left' ? top.xor(carry) : top.xor(bit(result, width - 2)));
				op.write('a', op.type === 'i64' ? result : result.toI32());
			},
			width === 32 ? () => op.write('a', value) : undefined,
		);
	};
}

/** SHLD and SHRD: bits of `b` come in; the count is `c`. */
function shiftingDouble(direction: 'left' | 'right'): Meaning {
	return (op) => {
		const {f, width} = op;
		const shiftCount = countOf(op, 'c');
		const value = f.let(op.read('a'));
		byCount(
			op,
			shiftCount,
			() => {
				const by = f.let(shiftCount.toI64U());
				const first = f.let(value.toI64U());
				const second = f.let(op.read('b').toI64U());
				let result: Int<'i64'>;
				let carry: Int<'i32'>;
				if (width === 64) {
					const back = f.let(i64(64).sub(by));
					result = f.let(
						direction === 'left' ? first.shl(by).or(second.shrU(back)) : first.shrU(by).or(second.shl(back)),
					);
					carry = f.let((direction === 'left' ? first.shrU(back) : first.shrU(by.sub(1))).toI32().and(1));
				} else {
					// Counts beyond 16 bits are undefined: both operands after each other make what processors shift then.
					const both =
						direction === 'left'
							? f.let(
									first
										.shl(width)
										.or(second)
										.shl(width === 16 ? 16 : 0)
										.or(width === 16 ? first : i64(0)),
								)
							: f.let(
									second
										.shl(width)
										.or(first)
										.or(width === 16 ? first.shl(32) : i64(0)),
								);
					const span = width === 16 ? 48 : 64;
					result = f.let(direction === 'left' ? both.shl(by).shrU(span - width) : both.shrU(by));
					carry = f.let((direction === 'left' ? both.shrU(i64(span).sub(by)) : both.shrU(by.sub(1))).toI32().and(1));
				}
				const narrow = f.let(op.type === 'i64' ? result : result.toI32());
				op.flags.setResult(narrow, width);
				op.flags.setCarryAndOverflow(carry, highBit(op, narrow).xor(highBit(op, value)));
				op.write('a', narrow);
			},
			width === 32 ? () => op.write('a', value) : undefined,
			'c',
		);
	};
}

/** Shifts and rotations of `a` by `b` (SDM volume 2). */
export const shifts = {
	shl,
	shr,
	sar,
	rol: rotating('rotl'),
	ror: rotating('rotr'),
	rcl: rotatingThroughCarry('left'),
	rcr: rotatingThroughCarry('right'),
	shld: shiftingDouble('left'),
	shrd: shiftingDouble('right'),
} as const satisfies Record<string, Meaning>;
