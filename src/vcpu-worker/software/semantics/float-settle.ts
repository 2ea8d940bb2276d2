import {type Int, i32, type Vector, type VectorLocal} from '#support/wasm';
import {floatOperation} from '#vcpu-worker/software/float';
import type {Operation} from './operation.ts';

/** Bits of MXCSR: RC, and flag and mask of what is not exact (SDM volume 1, 10.2.3). */
const roundingControl = 0x6000;
const precisionBits = 0x1020;

/** What a result of WebAssembly has to be for MXCSR to have no part in it. */
export interface Conditions {
	/** It is the one to nearest, and no exception but that it is not exact. */
	readonly isSure: Int<'i32'>;
	/** It is exact; undefined: it always is. */
	readonly isExact?: () => Int<'i32'>;
	/** MXCSR's rounding has no part in it. */
	readonly isOfAnyRounding?: boolean;
}

/**
 * Gives the result of an operation: WebAssembly's where that is what it must be, which costs a few comparisons; else by exact arithmetic. WebAssembly
 * rounds to nearest, has no flags, and leaves open which NaN it gives. Most programs find the flag of results that are not exact already set.
 * @param name - of the operation in exact arithmetic
 * @param operands - of each half; the results may be fewer
 */
export function settle(
	op: Operation,
	name: string,
	operands: readonly (readonly Vector[])[],
	results: readonly Vector[],
	{isSure, isExact, isOfAnyRounding = isExact === undefined}: Conditions,
): readonly VectorLocal[] {
	const {f} = op;
	const control = f.let(op.vectorControl());
	const isNearest = isOfAnyRounding ? i32(1) : control.and(roundingControl).isZero();
	const isSettled = f.let(isSure.and(isNearest));
	if (isExact !== undefined) {
		const isTold = control.and(precisionBits).ne(precisionBits);
		f.if(isSettled.and(isTold), () => f.set(isSettled, isExact()));
	}
	const values = results.map(() => f.vectorLocal());
	const set = (from: readonly Vector[]) => {
		for (const [half, value] of values.entries()) f.setVector(value, from[half] as Vector);
	};
	f.if(
		isSettled,
		() => set(results),
		() => set(op.computeExactly(floatOperation(name, operands.length), operands)),
	);
	return values;
}
