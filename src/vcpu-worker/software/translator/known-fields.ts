import {type FunctionBuilder, type Int, i32, i64} from '#support/wasm';
import type {Place, StepFields} from '#vcpu-worker/software/interpreter';
import type {Flags, OperandName} from '#vcpu-worker/software/semantics';
import {CpuState, MicroOp} from '#vcpu-worker/software/state';
import type {KnownStep} from './read-block.ts';

const none = CpuState.offset('none');

/** Fields of a step that are known: code has them as constants. */
export class KnownFields implements StepFields {
	readonly record: Int<'i32'>;
	readonly #step: KnownStep;

	/** @param record - where the step's record is: what the processor tells by it stays true */
	constructor(step: KnownStep, record: Int<'i32'>) {
		this.#step = step;
		this.record = record;
	}

	place(operand: OperandName): Place {
		return this.#step[operand] ?? this.record.add(MicroOp.offset('immediate'));
	}

	constant(operand: OperandName): bigint | undefined {
		const place = this.#step[operand];
		if (place === undefined) return this.#step.immediate;
		return place === none ? 0n : undefined;
	}

	segment(): Int<'i32'> {
		return i32(this.#step.segment);
	}

	small(): Int<'i32'> {
		return i32(this.#step.small);
	}

	condition(f: FunctionBuilder, flags: Flags): Int<'i32'> {
		return f.let(flags.condition(this.#step.small));
	}

	immediate(): Int<'i64'> {
		return i64(this.#step.immediate);
	}

	ordinal(): Int<'i32'> {
		return i32(this.#step.ordinal);
	}

	start(): Int<'i64'> {
		return i64(this.#step.start);
	}

	next(): Int<'i64'> {
		return i64(this.#step.next);
	}
}
