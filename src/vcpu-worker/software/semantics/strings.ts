import {type Int, i32, i64, type Label} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

const accumulator = 0;
const counter = 1;
const source = 6;
const destination = 7;

/** Repetition of an instruction: not, while the counter lasts, or also while ZF is 1 or 0 (SDM volume 2, REP). */
export type Repeat = 'once' | 'repeated' | 'whileEqual' | 'whileUnequal';

/** An index register as an address: the step's constant is the mask of the address size. */
const indexOf = (op: Operation, register: number): Int<'i64'> =>
	(op.readRegister(register, 64) as Int<'i64'>).and(op.immediate());

/** Moves an index register; 32-bit addresses clear its upper half, 16-bit ones leave what is above. */
function setIndex(op: Operation, register: number, value: Int<'i64'>): void {
	const mask = op.f.let(op.immediate());
	const masked = value.and(mask);
	const rest = mask.eq(0xffff).select((op.readRegister(register, 64) as Int<'i64'>).and(~0xffffn), 0);
	op.writeRegister(register, 64, masked.or(rest));
}

const pageBytes = 4096;

/** Elements that are done together, as far as their pages go: what it needs of them, and how. */
interface Together {
	/** Pages of source or destination that the instruction accesses. */
	readonly accesses: readonly (readonly [register: number, forWrite: boolean])[];
	/** Tells whether what is there can be done so. */
	isPossible(op: Operation, places: readonly Int<'i64'>[], bytes: Int<'i64'>): Int<'i32'>;
	work(op: Operation, places: readonly Int<'i64'>[], bytes: Int<'i64'>): void;
}

/** A copy of all together is one of each behind the other but where the destination begins within the source. */
const copying: Together = {
	accesses: [
		[source, false],
		[destination, true],
	],
	isPossible: (_, [from, to], bytes) => (to as Int<'i64'>).sub(from as Int<'i64'>).geU(bytes),
	work: (op, [from, to], bytes) => op.copyPlaces(to as Int<'i64'>, from as Int<'i64'>, bytes),
};

/** Bytes that are all alike. */
const filling: Together = {
	accesses: [[destination, true]],
	isPossible: (op) => {
		if (op.width === 8) return i32(1);
		const value = op.f.let(op.readRegister(accumulator, op.width));
		const byte = op.f.let(value.and(0xff));
		const all = op.width === 64 ? 0x0101_0101_0101_0101n : op.width === 32 ? 0x0101_0101 : 0x0101;
		return value.eq(byte.mul(all));
	},
	work: (op, [to], bytes) => op.fillPlaces(to as Int<'i64'>, op.readRegister(accumulator, 8).toI32(), bytes),
};

/** Work of the instruction on one element. */
interface Element {
	readonly together?: Together;
	readonly moves: readonly number[];
	/** `address` gives the element at SI or DI. */
	work(op: Operation, address: {source(): Int<'i64'>; destination(isWrite: boolean): Int<'i64'>}): void;
}

const elements = {
	movs: {
		moves: [source, destination],
		together: copying,
		work: (op, at) => op.storeMemory(at.destination(true), op.width, op.f.let(op.loadMemory(at.source(), op.width))),
	},
	stos: {
		moves: [destination],
		together: filling,
		work: (op, at) => op.storeMemory(at.destination(true), op.width, op.readRegister(accumulator, op.width)),
	},
	lods: {
		moves: [source],
		work: (op, at) => op.writeRegister(accumulator, op.width, op.loadMemory(at.source(), op.width)),
	},
	scas: {
		moves: [destination],
		work: (op, at) =>
			compare(op, op.readRegister(accumulator, op.width), op.loadMemory(at.destination(false), op.width)),
	},
	cmps: {
		moves: [source, destination],
		work: (op, at) => {
			const first = op.f.let(op.loadMemory(at.source(), op.width));
			compare(op, first, op.loadMemory(at.destination(false), op.width));
		},
	},
} as const satisfies Record<string, Element>;

function compare(op: Operation, first: Int, second: Int): void {
	const a = op.f.let(first);
	const b = op.f.let(second);
	const result = op.f.let(a.sub(b));
	op.flags.setResult(result, op.width);
	op.flags.setCarries(a.not().and(b).or(a.xor(b).not().and(result)), op.width);
}

/**
 * Does elements together that lie in pages which the TLB knows, forwards, in 64-bit code with 64-bit addresses, which end nowhere within a page:
 * as many as go without a look at requests.
 * @returns their number; 0 where none has been done
 */
function doTogether(op: Operation, {accesses, isPossible, work}: Together): Int<'i32'> {
	const {f} = op;
	const done = f.local('i32');
	f.set(done, 0);
	f.if(op.small().or(op.direction()).isZero().and(op.immediate().eq(-1)), () => {
		// With the last of them the budget is used up.
		const elements = f.let(op.budget().add(1).toI64S());
		const most = (other: Int<'i64'>) => f.set(elements, elements.ltS(other).select(elements, other));
		const isMany = f.let(indexOf(op, counter).shrU(12).ne(0));
		f.if(isMany.isZero(), () => most(indexOf(op, counter)));
		const places = accesses.map(([register, forWrite]) => {
			const offset = indexOf(op, register);
			const address = f.let(register === source ? op.sourceElement(offset) : op.destinationElement(offset, forWrite));
			most(
				i64(pageBytes)
					.sub(address.and(pageBytes - 1))
					.shrU(Math.log2(op.width / 8)),
			);
			return f.let(op.placeOf(address, forWrite));
		});
		const areKnown = places.reduce((all, place) => all.and(place.geS(0)), elements.gtS(1));
		f.if(areKnown, () => {
			const bytes = f.let(elements.mul(op.width / 8));
			f.if(isPossible(op, places, bytes), () => {
				work(op, places, bytes);
				f.set(done, elements.toI32());
				op.setBudget(op.budget().sub(done).add(1));
			});
		});
	});
	return done;
}

/**
 * A string instruction. Every element is done whole before the next begins, so that a fault leaves the registers at the element
 * that has it, and an interrupt comes between two.
 */
function string({moves, work, together}: Element, repeat: Repeat): Meaning {
	return (op) => {
		const {f} = op;
		const step = f.let(op.direction().select(i64(-op.width / 8), i64(op.width / 8)));
		const one = () => {
			work(op, {
				source: () => f.let(op.sourceElement(indexOf(op, source))),
				destination: (isWrite) => f.let(op.destinationElement(indexOf(op, destination), isWrite)),
			});
			for (const register of moves) setIndex(op, register, indexOf(op, register).add(step));
		};
		if (repeat === 'once') {
			one();
			return;
		}
		f.block((end: Label) => {
			f.brIf(end, indexOf(op, counter).isZero());
			f.loop((again: Label) => {
				const done = f.let(i32(1));
				if (together === undefined) one();
				else {
					f.set(done, doTogether(op, together));
					f.if(
						done,
						() => {
							for (const register of moves)
								setIndex(op, register, indexOf(op, register).add(done.toI64U().mul(op.width / 8)));
						},
						() => {
							one();
							f.set(done, 1);
						},
					);
				}
				setIndex(op, counter, indexOf(op, counter).sub(done.toI64U()));
				if (repeat === 'whileEqual') f.brIf(end, op.flags.zero().isZero());
				if (repeat === 'whileUnequal') f.brIf(end, op.flags.zero());
				// A single step behind the last element is one behind the instruction.
				f.brIf(end, indexOf(op, counter).isZero());
				op.pollInside();
				f.br(again);
			});
		});
	};
}

/** String instructions by name and repetition: `movs`, `movsRepeated`, `scasWhileEqual` and so on (SDM volume 2). */
export const strings: Readonly<Record<string, Meaning>> = Object.fromEntries(
	Object.entries(elements).flatMap(([name, element]): [string, Meaning][] => {
		const compares = name === 'scas' || name === 'cmps';
		const repeats: readonly Repeat[] = compares ? ['once', 'whileEqual', 'whileUnequal'] : ['once', 'repeated'];
		return repeats.map((repeat) => [stringName(name, repeat), string(element, repeat)]);
	}),
);

/** Name of a string instruction's step. */
export function stringName(name: string, repeat: Repeat): string {
	return repeat === 'once' ? name : `${name}${repeat[0]?.toUpperCase()}${repeat.slice(1)}`;
}
