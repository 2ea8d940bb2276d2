import {type FunctionBuilder, type Int, i32, type Vector, type VectorLocal} from '#support/wasm';
import {floatOperation} from '#vcpu-worker/software/float';
import type {Halves, Operation} from './operation.ts';

/** Bits of MXCSR: RC, and flag and mask of what is not exact (SDM volume 1, 10.2.3). */
const roundingControl = 0x6000;
const precisionBits = 0x1020;

/** Results of WebAssembly, and what they have to be for MXCSR to have no part in them. */
export interface Evaluated {
	/** Of each half; they may be fewer. */
	readonly results: readonly Vector[];
	/** They are those to nearest, and no exception but that they are not exact. */
	readonly isSure: Int<'i32'>;
	/** They are exact; undefined: they always are. */
	readonly isExact?: () => Int<'i32'>;
	/** MXCSR's rounding has no part in them. */
	readonly isOfAnyRounding?: boolean;
}

/**
 * Gives the result of an operation: WebAssembly's where that is what it must be, which costs a few comparisons; else by exact arithmetic. WebAssembly
 * rounds to nearest, has no flags, and leaves open which NaN it gives. Most programs find the flag of results that are not exact already set.
 * @param name - of the operation in exact arithmetic
 * @param operands - of each half
 */
export function settle<O extends Halves>(
	op: Operation,
	name: string,
	operands: O,
	evaluate: (op: Operation, operands: O) => Evaluated,
): readonly VectorLocal[] {
	const {f, apart} = op;
	const evaluated = evaluate(op, operands);
	if (apart === undefined) return settleAnyhow(op, name, operands, evaluated);
	const {results, isSure, isExact, isOfAnyRounding} = evaluated;
	const isUsual = op
		.vectorControl()
		.and(roundingControl | precisionBits)
		.eq(precisionBits);
	const needsUsual = isExact !== undefined || isOfAnyRounding === false;
	return choose(f, needsUsual ? isSure.and(isUsual) : isSure, results, () =>
		apart(name, operands, results.length, (inside, given) =>
			settleAnyhow(inside, name, given, evaluate(inside, given as unknown as O)),
		),
	);
}

/** The same, whatever MXCSR says. */
function settleAnyhow(
	op: Operation,
	name: string,
	operands: Halves,
	{results, isSure, isExact, isOfAnyRounding = isExact === undefined}: Evaluated,
): readonly VectorLocal[] {
	const {f} = op;
	const control = f.let(op.vectorControl());
	const isNearest = isOfAnyRounding ? i32(1) : control.and(roundingControl).isZero();
	const isSettled = f.let(isSure.and(isNearest));
	if (isExact !== undefined) {
		const isTold = control.and(precisionBits).ne(precisionBits);
		f.if(isSettled.and(isTold), () => f.set(isSettled, isExact()));
	}
	// Where there is one operand, it is also the second.
	const given = operands.map((half) => (half.length === 1 ? [...half, ...half] : half));
	return choose(f, isSettled, results, () => op.computeExactly(floatOperation(name, operands.length), given));
}

/** Vectors where something holds, and others where it does not. */
function choose(
	f: FunctionBuilder,
	holds: Int<'i32'>,
	vectors: readonly Vector[],
	others: () => readonly Vector[],
): readonly VectorLocal[] {
	const values = vectors.map(() => f.vectorLocal());
	const set = (from: readonly Vector[]) => {
		for (const [half, value] of values.entries()) f.setVector(value, from[half] as Vector);
	};
	f.if(
		holds,
		() => set(vectors),
		() => set(others()),
	);
	return values;
}
