import {type Int, i32, splat} from '#support/wasm';
import type {Meaning, OperandName, Operation} from './operation.ts';

const accumulator = 0;
const counter = 1;
const data = 2;
/** Bits of the constant (SDM volume 2, 4.1). */
const isWords = 1;
const isSigned = 2;
const aggregation = 2;
const polarity = 4;
const selection = 6;

interface Strings {
	/** Elements that a vector has: 16 or 8. */
	readonly count: Int<'i32'>;
	readonly lengths: Readonly<Record<'a' | 'b', Int<'i32'>>>;
	/** Reads an element with its sign, if elements have one. */
	element(operand: 'a' | 'b', index: Int<'i32'>): Int<'i32'>;
}

/** Repeats a body with numbers below a limit. */
function forEach({f}: Operation, limit: Int<'i32'>, body: (index: Int<'i32'>) => void): void {
	f.scope(() => {
		const index = f.local('i32');
		f.set(index, 0);
		f.block((end) =>
			f.loop((again) => {
				f.brIf(end, index.geU(limit));
				f.scope(() => body(index));
				f.set(index, index.add(1));
				f.br(again);
			}),
		);
	});
}

/** Finds lengths in registers, of 32 or 64 bits: the sign does not count, and no length is above the number of elements. */
function explicitLength(op: Operation, register: number, count: Int<'i32'>): Int<'i32'> {
	const {f} = op;
	const whole = f.let(op.readRegister(register, 64).toI64U());
	const value = f.let(op.small().select(whole, whole.toI32().toI64S()));
	const size = f.let(value.ltS(0).select(value.neg(), value));
	return f.let(size.gtU(count.toI64U()).select(count, size.toI32()));
}

/** Finds the first element that is 0. */
function implicitLength(op: Operation, operand: 'a' | 'b', {count, element}: Omit<Strings, 'lengths'>): Int<'i32'> {
	const {f} = op;
	const length = f.local('i32');
	f.set(length, count);
	forEach(op, count, (index) =>
		f.if(element(operand, index).isZero().and(length.eq(count)), () => f.set(length, index)),
	);
	return length;
}

/** Compares all elements, and aggregates what is found to a bit for each element of the source. */
function compare(op: Operation, {count, lengths, element}: Strings): Int<'i32'> {
	const {f} = op;
	const control = f.let(op.immediate().toI32());
	const bits = f.local('i32');
	f.set(bits, 0);
	const has = (operand: 'a' | 'b', index: Int<'i32'>) => index.ltU(lengths[operand]);
	const same = (i: Int<'i32'>, j: Int<'i32'>) => element('a', i).eq(element('b', j));
	forEach(op, count, (j) => {
		const bit = f.local('i32');
		f.switch(control.shrU(aggregation).and(3), [
			// Equal to any.
			() => {
				f.set(bit, 0);
				forEach(op, lengths.a, (i) => f.set(bit, bit.or(same(i, j).and(has('b', j)))));
			},
			// In one of the ranges, which are pairs.
			() => {
				f.set(bit, 0);
				forEach(op, lengths.a.shrU(1), (pair) => {
					const i = f.let(pair.shl(1));
					const value = f.let(element('b', j));
					const isIn = value.geS(element('a', i)).and(value.leS(element('a', i.add(1))));
					f.set(bit, bit.or(isIn.and(has('b', j))));
				});
			},
			// Equal to the one at the same place, where both strings may have ended.
			() => {
				const both = has('a', j).and(has('b', j));
				f.set(bit, both.select(same(j, j), has('a', j).or(has('b', j)).xor(1)));
			},
			// The begin of the first string, as far as the source has room for it.
			() => {
				f.set(bit, 1);
				forEach(op, count.sub(j), (i) => {
					const at = f.let(i.add(j));
					f.set(
						bit,
						bit.and(
							has('a', i)
								.xor(1)
								.or(has('b', at).and(same(i, at))),
						),
					);
				});
			},
		]);
		f.set(bits, bits.or(bit.shl(j)));
	});
	const all = f.let(i32(1).shl(count).sub(1));
	const valid = f.let(i32(1).shl(lengths.b).sub(1));
	const how = f.let(control.shrU(polarity).and(3));
	return f.let(bits.xor(how.eq(1).select(all, how.eq(3).select(valid, 0))));
}

/** PCMPESTRI and its like: the result is a number in RCX or a mask in XMM0, and flags. */
const strings =
	(kind: 'explicit' | 'implicit', result: 'index' | 'mask'): Meaning =>
	(op) => {
		const {f} = op;
		const control = f.let(op.immediate().toI32());
		const wide = f.let(control.and(isWords));
		const count = f.let(wide.select(i32(8), i32(16)));
		const element = (operand: OperandName, index: Int<'i32'>): Int<'i32'> => {
			const raw = wide.select(op.readElement(operand, 16, index), op.readElement(operand, 8, index)).toI32();
			const value = f.let(raw);
			const unused = wide.select(i32(16), i32(24));
			return f.let(control.and(isSigned).select(value.shl(unused).shrS(unused), value));
		};
		const lengths =
			kind === 'explicit'
				? {a: explicitLength(op, accumulator, count), b: explicitLength(op, data, count)}
				: {a: implicitLength(op, 'a', {count, element}), b: implicitLength(op, 'b', {count, element})};
		const bits = compare(op, {count, lengths, element});
		const isOther = f.let(control.shrU(selection).and(1));
		if (result === 'index') {
			const found = isOther.select(bits.clz().xor(31), bits.ctz());
			op.writeRegister(counter, 32, bits.isZero().select(count, found));
		} else writeMask(op, bits, isOther, wide);
		const flag = (value: Int<'i32'>, bit: number) => value.shl(bit);
		op.flags.setBits(
			f.let(
				bits
					.ne(0)
					.or(flag(lengths.b.ltU(count), 6))
					.or(flag(lengths.a.ltU(count), 7))
					.or(flag(bits.and(1), 11))
					.toI64U(),
			),
		);
	};

/** Writes bits to XMM0, the third operand: as they are, or each as an element. */
function writeMask(op: Operation, bits: Int<'i32'>, isOther: Int<'i32'>, wide: Int<'i32'>): void {
	const {f} = op;
	op.writeVector('c', splat('i64x2', 0));
	f.if(
		isOther,
		() => {
			const each = (width: 8 | 16) => () => {
				for (let index = 0; index < 128 / width; index++)
					op.writeElement('c', width, i32(index), bits.shrU(index).and(1).neg());
			};
			f.if(wide, each(16), each(8));
		},
		() => op.writeElement('c', 16, i32(0), bits),
	);
}

/** Comparisons of strings of SSE4.2 (SDM volume 2, 4.1). */
export const vectorStrings = {
	pcmpestri: strings('explicit', 'index'),
	pcmpestrm: strings('explicit', 'mask'),
	pcmpistri: strings('implicit', 'index'),
	pcmpistrm: strings('implicit', 'mask'),
} as const satisfies Record<string, Meaning>;
