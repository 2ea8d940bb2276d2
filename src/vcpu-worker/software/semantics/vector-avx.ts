import {type Int, i32, splat, type Vector} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

const zero = splat('i64x2', 0);
const shapes = {8: 'i8x16', 16: 'i16x8', 32: 'i32x4', 64: 'i64x2'} as const;
type Lane = 32 | 64;

/** Elements of the first source by what the second one's lanes say, of which `numbers` makes numbers of bytes. */
const permute =
	(numbers: (control: Vector) => Vector): Meaning =>
	(op) =>
		op.writeVector('a', op.readVector('c').binary('i8x16.swizzle', op.f.letVector(numbers(op.readVector('b')))));

/** Shifts each lane by a count of its own. */
const shiftEach =
	(name: 'shl' | 'shrU' | 'shrS', width: Lane): Meaning =>
	(op) => {
		const {f} = op;
		const typed = (value: number): Int => (width === 64 ? i32(value).toI64U() : i32(value));
		const lanes = Array.from({length: 128 / width}, (_, index) => {
			const value = f.let(op.readElement('c', width, i32(index)));
			const count = f.let(op.readElement('b', width, i32(index)));
			const isWithin = f.let(count.ltU(width));
			// An arithmetic shift goes on as that by all bits but one.
			const beyond = name === 'shrS' ? value.shrS(width - 1) : typed(0);
			return f.let(isWithin.select(value[name](count), beyond));
		});
		for (const [index, value] of lanes.entries()) op.writeElement('a', width, i32(index), value);
	};

/** Signs of the lanes of a value. */
const signs = (width: Lane) => (value: Vector) => value.reduce(width === 64 ? 'i64x2.bitmask' : 'i32x4.bitmask');

const test =
	(width: Lane): Meaning =>
	(op) => {
		const pairs = op.halves.map((half) => [op.readVector('b', half), op.readVector('a', half)] as const);
		const has = (name: 'v128.and' | 'v128.andnot') =>
			pairs
				.map(([b, a]) => signs(width)(b.binary(name, a)))
				.reduce((all, one) => all.or(one))
				.isZero();
		op.flags.setBits(op.f.let(has('v128.and').shl(6).or(has('v128.andnot')).toI64U()));
	};

/** Lanes of memory whose sign is set in the mask, 0 in the others, of which memory is not touched. */
const maskedLoad =
	(width: Lane): Meaning =>
	(op) => {
		const {f} = op;
		const address = f.let(op.address());
		const perHalf = 128 / width;
		const values = Array.from({length: op.halves.length * perHalf}, (_, index) => {
			const value = f.let<'i32' | 'i64'>(width === 64 ? i32(0).toI64U() : i32(0));
			const mask = op.readElement('c', width, i32(index)).ltS(0);
			f.if(mask, () => f.set(value, op.loadMemory(f.let(address.add((index * width) / 8)), width)));
			return value;
		});
		for (const [index, value] of values.entries()) op.writeElement('a', width, i32(index), value);
	};

/** The linear address of an offset, where it may be read. */
type Locate = (op: Operation, offset: Int<'i64'>, bytes: number) => Int<'i64'>;

/**
 * Elements of memory whose distances from the address kept are in `c`, where the mask `b` has their sign; the step's constant says which bits an offset has. Each element clears its own
 * mask, so that after a fault the instruction goes on with those that are left (SDM volume 2, VGATHERDPS).
 */
const gather =
	(indexWidth: Lane, width: Lane, locate: Locate): Meaning =>
	(op) => {
		const {f} = op;
		const numbers = Array.from({length: (op.halves.length * 128) / Math.max(indexWidth, width)}, (_, index) =>
			i32(index),
		);
		const mask = (number: Int<'i32'>) => op.readElement('b', width, number);
		const scale = f.let(op.small().toI64U());
		for (const number of numbers) {
			f.if(mask(number).ltS(0), () => {
				const index = op.readElement('c', indexWidth, number);
				const distance = indexWidth === 64 ? index.toI64U() : index.toI32().toI64S();
				const offset = f.let(op.keptAddress().add(distance.shl(scale)).and(op.immediate()));
				const address = f.let(locate(op, offset, width / 8));
				op.writeElement('a', width, number, op.loadMemory(address, width));
			});
			op.writeElement('b', width, number, i32(0).toI64U());
		}
	};

const lanes = [32, 64] as const;
const gathers = (suffix: string, locate: Locate): Record<string, Meaning> =>
	Object.fromEntries(
		lanes.flatMap((index) => lanes.map((width) => [`gather${index}x${width}${suffix}`, gather(index, width, locate)])),
	);

/** By the bits of an index and of an element; outside of 64-bit code segments are checked. */
export const gatherMeanings: Readonly<Record<string, Meaning>> = {
	...gathers('', (op, offset) => op.inFlatSegment(offset)),
	...gathers('Segmented', (op, offset, bytes) => op.inSegment(offset, false, undefined, bytes)),
};

/** What AVX and AVX2 have beside instructions that SSE has too (SDM volume 2). */
export const avxMeanings = {
	/** Leads the first instruction on YMM registers of a block. */
	requireAvx: (op) => op.requirePart('avx'),
	clearVector: (op) => op.writeVector('a', zero),
	/** The upper halves of all registers from `a` on: of eight, or of sixteen. */
	clearUppers: (op) => {
		const clear = (first: number) => {
			for (let register = first; register < first + 8; register++)
				for (const quarter of [2, 3]) op.writeElement('a', 64, i32(register * 4 + quarter), i32(0).toI64U());
		};
		clear(0);
		op.f.if(op.small(), () => clear(8));
	},
	broadcast: (op) => op.writeVector('a', splat(shapes[op.width], op.read('b'))),
	permilps: permute((control) =>
		control
			.binary('v128.and', splat('i32x4', 3))
			.binary('i32x4.mul', splat('i32x4', 0x0404_0404))
			.binary('i32x4.add', splat('i32x4', 0x0302_0100)),
	),
	permilpd: permute((control) =>
		control
			.shift('i64x2.shr_u', 1)
			.binary('v128.and', splat('i64x2', 1))
			.binary('i64x2.mul', splat('i64x2', 0x0808_0808_0808_0808n))
			.binary('i64x2.add', splat('i64x2', 0x0706_0504_0302_0100n)),
	),
	/** Elements of all 256 bits of `b`, by numbers in `c`. */
	permd: (op) => {
		const {f} = op;
		const elements = Array.from({length: 8}, (_, index) => {
			const number = op.readElement('c', 32, i32(index)).toI32().and(7);
			return f.let(op.readElement('b', 32, number));
		});
		for (const [index, value] of elements.entries()) op.writeElement('a', 32, i32(index), value);
	},
	psllvd: shiftEach('shl', 32),
	psllvq: shiftEach('shl', 64),
	psrlvd: shiftEach('shrU', 32),
	psrlvq: shiftEach('shrU', 64),
	psravd: shiftEach('shrS', 32),
	testps: test(32),
	testpd: test(64),
	maskedLoad32: maskedLoad(32),
	maskedLoad64: maskedLoad(64),
} as const satisfies Record<string, Meaning>;
