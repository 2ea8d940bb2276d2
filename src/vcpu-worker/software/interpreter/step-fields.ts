import {type FunctionBuilder, type Int, i32, type Memory} from '#support/wasm';
import type {Flags, OperandName} from '#vcpu-worker/software/semantics';
import {MicroOp} from '#vcpu-worker/software/state';
import type {Place} from './registers.ts';

/** What a step has in itself, as code gets it: from its record as it runs, or known when the code is made. */
export interface StepFields {
	/** Address of the step's record. */
	readonly record: Int<'i32'>;
	/** Where an operand is in the processor's memory. */
	place(operand: OperandName): Place;
	/** The value of an operand that is known; undefined where code has to read it. */
	constant(operand: OperandName): bigint | undefined;
	/** Where the base of the segment of an address is. */
	segment(): Int<'i32'>;
	small(): Int<'i32'>;
	/** Tells whether the condition holds that `small` is the number of. */
	condition(f: FunctionBuilder, flags: Flags): Int<'i32'>;
	immediate(): Int<'i64'>;
	ordinal(): Int<'i32'>;
	start(): Int<'i64'>;
	next(): Int<'i64'>;
}

/** Fields that are read from the record. */
export class RecordFields implements StepFields {
	readonly record: Int<'i32'>;
	readonly #state: Memory<'i32'>;

	constructor(state: Memory<'i32'>, record: Int<'i32'>) {
		this.#state = state;
		this.record = record;
	}

	place(operand: OperandName): Int<'i32'> {
		return this.#state.load('i32', 32, this.record, MicroOp.offset(operand));
	}

	constant(): undefined {
		return undefined;
	}

	segment(): Int<'i32'> {
		return this.#state.load('i32', 32, this.record, MicroOp.offset('segment'));
	}

	small(): Int<'i32'> {
		return this.#state.load('i32', 8, this.record, MicroOp.offset('scale'));
	}

	/** One value by number: all are computed from three words, which costs less than a branch that goes astray. */
	condition(f: FunctionBuilder, flags: Flags): Int<'i32'> {
		const number = f.let(this.small());
		const pairs = [0, 2, 4, 6, 8, 10, 12, 14].map((even) => f.let(flags.condition(even)));
		const half = f.let(number.shrU(1));
		const chosen = pairs.reduce<Int<'i32'>>((rest, pair, index) => half.eq(index).select(pair, rest), i32(0));
		return f.let(chosen.xor(number.and(1)));
	}

	immediate(): Int<'i64'> {
		return this.#state.load('i64', 64, this.record, MicroOp.offset('immediate'));
	}

	ordinal(): Int<'i32'> {
		return this.#state.load('i32', 8, this.record, MicroOp.offset('ordinal'));
	}

	start(): Int<'i64'> {
		return this.#state.load('i64', 16, this.record, MicroOp.offset('start'));
	}

	next(): Int<'i64'> {
		return this.#state.load('i64', 16, this.record, MicroOp.offset('next'));
	}
}
