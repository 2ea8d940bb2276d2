import {type Int, i64, type Label} from '#support/wasm';
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

/** Work of the instruction on one element. */
interface Element {
	readonly moves: readonly number[];
	/** `address` gives the element at SI or DI. */
	work(op: Operation, address: {source(): Int<'i64'>; destination(isWrite: boolean): Int<'i64'>}): void;
}

const elements = {
	movs: {
		moves: [source, destination],
		work: (op, at) => op.storeMemory(at.destination(true), op.width, op.f.let(op.loadMemory(at.source(), op.width))),
	},
	stos: {
		moves: [destination],
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
 * A string instruction. Every element is done whole before the next begins, so that a fault leaves the registers at the element
 * that has it, and an interrupt comes between two.
 */
function string({moves, work}: Element, repeat: Repeat): Meaning {
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
				one();
				setIndex(op, counter, indexOf(op, counter).sub(1));
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
