import type {FunctionBuilder, Int, IntType, Memory, Vector, Width} from '#support/wasm';
import {i32} from '#support/wasm';
import type {Difference} from '#vcpu-worker/software/semantics';
import {CpuState} from '#vcpu-worker/software/state';

/** A place in the processor's memory: known, or as a record says when code runs. */
export type Place = number | Int<'i32'>;

/** Registers, flags and what instructions keep between their steps, as code finds them: in the processor's memory, or for a while elsewhere. */
export interface Registers {
	/** A value, filled up with zeros. */
	read(type: IntType, width: Width, place: Place): Int;
	/** A value, filled up with its sign. */
	readSigned(width: Width, place: Place): Int<'i64'>;
	/** Writes as registers are written: 32 bits clear the rest of 64, fewer leave it. */
	write(width: Width, place: Place, value: Int): void;
	readVector(place: Place): Vector;
	writeVector(place: Place, value: Vector): void;
	/** Address of a value of 128 bits, whose elements code reads and writes in memory. */
	vectorAt(place: Place): Int<'i32'>;
	/** Leaves code. @param record - of the step that does */
	leave(stop: Int<'i32'>, record: Int<'i32'>): void;
	/** The subtraction that the flags are of, where that is known. */
	difference: Difference | undefined;
	/** A store has been done that the TLB does not serve. */
	stored(): void;
}

/** Registers in memory, where everybody else finds them. */
export class MemoryRegisters implements Registers {
	readonly #state: Memory<'i32'>;
	readonly #f: FunctionBuilder;

	constructor(state: Memory<'i32'>, f: FunctionBuilder) {
		this.#state = state;
		this.#f = f;
	}

	read(type: IntType, width: Width, place: Place): Int {
		return this.#state.load(type, width, ...addressOf(place));
	}

	readSigned(width: Width, place: Place): Int<'i64'> {
		return this.#state.loadSigned('i64', width, ...addressOf(place));
	}

	write(width: Width, place: Place, value: Int): void {
		const [base, offset] = addressOf(place);
		if (width === 32) this.#f.store(this.#state, 64, base, offset, value.toI32().toI64U());
		else this.#f.store(this.#state, width, base, offset, value);
	}

	readVector(place: Place): Vector {
		return this.#state.loadVector(...addressOf(place));
	}

	writeVector(place: Place, value: Vector): void {
		this.#f.storeVector(this.#state, ...addressOf(place), value);
	}

	vectorAt(place: Place): Int<'i32'> {
		return typeof place === 'number' ? i32(place) : place;
	}

	leave(stop: Int<'i32'>, record: Int<'i32'>): void {
		this.#f.store(this.#state, 32, i32(0), CpuState.offset('record'), record);
		this.#f.return(stop);
	}

	/** What set the flags is not known when code runs. */
	get difference(): undefined {
		return undefined;
	}

	set difference(_: Difference | undefined) {}

	/** The record behind says what to do. */
	stored(): void {}
}

/** Base and offset of a place. */
const addressOf = (place: Place): [Int<'i32'>, number] => (typeof place === 'number' ? [i32(0), place] : [place, 0]);
