import {constant, type Int, type IntType, i32} from '#support/wasm';
import {multiplied} from './multiply.ts';
import type {Meaning, Operation} from './operation.ts';

const data = 2;

/** Leads the first instruction with a VEX prefix of a block: there are none in real and virtual-8086 mode. */
export const requireVex: Meaning = (op) => op.requirePart('vex');

const number = ({type}: Operation, value: number): Int => constant<IntType>(type, value);
const count = (op: Operation, value: Int<'i32'>): Int => (op.type === 'i64' ? value.toI64U() : value);
/** The bits below a number of them, which is less than the width. */
const below = (op: Operation, bits: Int<'i32'>): Int => number(op, 1).shl(count(op, bits)).sub(1);

/** SF, ZF and CF by a result; the manual clears OF, and leaves PF and AF undefined. */
function write(op: Operation, result: Int, carry: Int<'i32'>): void {
	const value = op.f.let(result);
	op.flags.setResult(value, op.width);
	op.flags.setCarryAndOverflow(op.f.let(carry), i32(0));
	op.write('a', value);
}

/** What becomes of the source's lowest bit that is set; CF tells of a source of 0. */
const lowestBit =
	(compute: (source: Int) => Int, carryOfZero: 0 | 1): Meaning =>
	(op) => {
		const source = op.f.let(op.read('b'));
		write(op, compute(source), source.isZero().xor(1 - carryOfZero));
	};

/** A shift that leaves the flags alone. */
const shift =
	(name: 'shl' | 'shrU' | 'shrS'): Meaning =>
	(op) => {
		const by = op
			.read('c', 8)
			.toI32()
			.and(op.width - 1);
		op.write('a', op.read('b')[name](count(op, by)));
	};

/** Goes over the bits of the mask, `b`, from the lowest on; those of `c` that are no longer needed go. */
const byMask =
	(direction: 'deposit' | 'extract'): Meaning =>
	(op) => {
		const {f} = op;
		const [mask, source] = [f.let(op.read('b')), f.let(op.read('c'))];
		const result = f.let(number(op, 0));
		const bit = f.let(number(op, 1));
		f.block((end) =>
			f.loop((again) => {
				f.brIf(end, mask.isZero());
				const lowest = f.let(mask.and(mask.neg()));
				if (direction === 'deposit') {
					f.set(result, result.or(lowest.and(source.and(1).neg())));
					f.set(source, source.shrU(1));
				} else {
					f.set(result, result.or(bit.and(source.and(lowest).isZero().select(number(op, 0), number(op, -1)))));
					f.set(bit, bit.shl(1));
				}
				f.set(mask, mask.xor(lowest));
				f.br(again);
			}),
		);
		op.write('a', result);
	};

/** BMI1 and BMI2 (SDM volume 2): `a` is the destination, `b` the source that may be in memory, `c` the other. */
export const vexMeanings = {
	andn: (op) => write(op, op.read('c').not().and(op.read('b')), i32(0)),
	blsr: lowestBit((source) => source.and(source.sub(1)), 1),
	blsmsk: lowestBit((source) => source.xor(source.sub(1)), 1),
	blsi: lowestBit((source) => source.and(source.neg()), 0),
	bextr: (op) => {
		const {f} = op;
		const control = f.let(op.read('c', 32).toI32());
		const [start, length] = [f.let(control.and(0xff)), f.let(control.shrU(8).and(0xff))];
		const value = start.ltU(op.width).select(op.read('b').shrU(count(op, start)), number(op, 0));
		const shifted = f.let(value);
		write(op, length.ltU(op.width).select(shifted.and(below(op, length)), shifted), i32(0));
	},
	bzhi: (op) => {
		const {f} = op;
		const bits = f.let(op.read('c', 8).toI32());
		const isWithin = f.let(bits.ltU(op.width));
		const source = f.let(op.read('b'));
		write(op, isWithin.select(source.and(below(op, bits)), source), isWithin.xor(1));
	},
	/** With one destination it holds the high half. */
	mulx: (op) => {
		const {low, high} = multiplied(op, op.readRegister(data, op.width), op.read('b'), false);
		op.write('c', low);
		op.write('a', high);
	},
	pdep: byMask('deposit'),
	pext: byMask('extract'),
	rorx: (op) => op.write('a', op.read('b').rotr(op.type === 'i64' ? op.immediate() : op.immediate().toI32())),
	shlx: shift('shl'),
	shrx: shift('shrU'),
	sarx: shift('shrS'),
} as const satisfies Record<string, Meaning>;
