import {type Int, i32} from '#support/wasm';
import {zeroExtended} from './flags.ts';
import type {Meaning} from './operation.ts';

/** BT and its like on a register: the bit's number counts modulo the width. CF takes the bit. */
const bitTest =
	(change?: (value: Int, mask: Int) => Int): Meaning =>
	(op) => {
		const {f, width} = op;
		const value = f.let(op.read('a'));
		const number = f.let(op.read('b').and(width - 1));
		op.flags.changeCarry(value.shrU(number).toI32().and(1));
		if (change !== undefined) {
			const one = f.let(number.and(0).or(1));
			op.write('a', change(value, one.shl(number)));
		}
	};

/** BSF and BSR: of 0 the destination stays, all 64 bits of it, as AMD documents (APM volume 3, BSF). */
const bitScan =
	(direction: 'forward' | 'reverse'): Meaning =>
	(op) => {
		const {f} = op;
		const source = f.let(op.read('b'));
		op.flags.setResult(source, op.width);
		op.f.if(isZero(source).xor(1), () =>
			op.write('a', direction === 'forward' ? source.ctz() : source.clz().xor(op.type === 'i64' ? 63 : 31)),
		);
	};

/** TZCNT and LZCNT: of 0 the width, which CF tells. */
const countZeros =
	(end: 'trailing' | 'leading'): Meaning =>
	(op) => {
		const {f, width} = op;
		const source = f.let(op.read('b'));
		const isNarrow = width < 32;
		const result = f.let(
			end === 'trailing'
				? isNarrow
					? source.or(1 << width).ctz()
					: source.ctz()
				: isNarrow
					? source.clz().sub(32 - width)
					: source.clz(),
		);
		const carry = f.let(isZero(source));
		op.flags.setResult(result, width);
		op.flags.setCarryAndOverflow(carry, carry.and(0));
		op.write('a', result);
	};

const isZero = (value: Int): Int<'i32'> => value.isZero();

/** Polynomial of CRC32, bits in reverse (SDM volume 2, CRC32: 11EDC6F41h). */
const polynomial = 0x82f6_3b78 | 0;

/** Bits within operands (SDM volume 2). */
export const bits = {
	bt: bitTest(),
	bts: bitTest((value, mask) => value.or(mask)),
	btr: bitTest((value, mask) => value.and(mask.not())),
	btc: bitTest((value, mask) => value.xor(mask)),
	bsf: bitScan('forward'),
	bsr: bitScan('reverse'),
	tzcnt: countZeros('trailing'),
	lzcnt: countZeros('leading'),
	popcnt: (op) => {
		const source = op.f.let(op.read('b'));
		const result = op.f.let(source.popcnt());
		// Only ZF can be set, and it is where the source is 0: the count has neither sign nor, for the parity, a bit that counts.
		op.flags.setBits(isZero(source).toI64U().shl(6));
		op.write('a', result);
	},
	/** Distance from its address of the operand in memory that holds bit `b`, in bytes (SDM volume 2, BT). */
	bitOffset: (op) => {
		const shift = {8: 3, 16: 4, 32: 5, 64: 6}[op.width];
		op.write(
			'a',
			op
				.readSigned('b')
				.shrS(shift)
				.shl(shift - 3),
			64,
		);
	},
	/** CRC32 of `b`, whatever its width, in the 32 bits of `a`. */
	crc32: (op) => {
		const {f, width} = op;
		const data = f.let(zeroExtended(op.read('b'), width).toI64U());
		const crc = f.let(op.read('a', 32).toI32().xor(data.toI32()));
		const turns = f.let(i32(0));
		const total = width === 64 ? 64 : width;
		f.loop((again) => {
			f.set(crc, crc.shrU(1).xor(crc.and(1).neg().and(polynomial)));
			f.set(turns, turns.add(1));
			// The high half joins when the low one has gone through.
			if (width === 64) f.if(turns.eq(32), () => f.set(crc, crc.xor(data.shrU(32).toI32())));
			f.brIf(again, turns.ltU(total));
		});
		op.write('a', crc.toI64U(), 64);
	},
} as const satisfies Record<string, Meaning>;
