import {
	type FunctionBuilder,
	type Int,
	type IntType,
	i32,
	type Local,
	type Memory,
	type Sum,
	splat,
	type Vector,
	type Width,
} from '#support/wasm';
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
	/** The element at a place, in all elements. */
	readFirst(width: 32 | 64, place: Place): Vector;
	/** An element of a value of 128 bits, by number. */
	readElement(width: Width, place: Place, index: Int<'i32'>): Int;
	/** Writes an element and leaves the others. */
	writeElement(width: Width, place: Place, index: Int<'i32'>, value: Int): void;
	/** Instructions that may run before the next stop. */
	budget(): Int<'i32'>;
	setBudget(budget: Int<'i32'>): void;
	/** Leaves code. @param record - of the step that does */
	leave(stop: Int<'i32'>, record: Int<'i32'>): void;
	/** The subtraction that the flags are of, where that is known. */
	difference: Difference | undefined;
	/** A store has been done that the TLB does not serve. */
	stored(): void;
	/** Leaves, to have somebody else begin the instruction anew: for accesses that the TLB does not serve. Undefined: they are done here. */
	readonly missed: (() => void) | undefined;
	/** Accesses that go by one look into the TLB; undefined: each looks itself. */
	readonly looks: SharedLooks | undefined;
}

/** Bytes by which accesses go by one look into the TLB, as all are in one page. */
export interface LookedWindow {
	readonly bytes: number;
	readonly isWrite: boolean;
	/** Gets the window's place in RAM. */
	readonly place: Local<'i64'>;
	/** Gets the bits in which the first and the last byte's addresses are not alike, where they are not in one page that the TLB knows. */
	readonly differ: Local<'i64'>;
}

/** An access that has been written with a look of its own, and can be written otherwise. Places are lengths of the function's code. */
export interface LookingAccess {
	/** What its address is. */
	readonly sum: Sum;
	readonly bytes: number;
	readonly isWrite: boolean;
	readonly begin: number;
	readonly end: number;
	/** What leaves where the TLB does not know it. */
	readonly missedBegin: number;
	readonly missedEnd: number;
	/** Writes it with a look for a window that begins so many bytes before it. @param missed - writes what leaves */
	look(before: number, window: LookedWindow, missed: () => void): void;
	/** Writes it without a look, by a place in RAM that begins so many bytes before its own. */
	goBy(place: Int<'i64'>, before: number): void;
}

/** Hears of accesses that can have a look in common. */
export interface SharedLooks {
	note(access: LookingAccess): void;
	/** What has been found counts no more. */
	end(): void;
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

	readFirst(width: 32 | 64, place: Place): Vector {
		return splat(
			width === 64 ? 'i64x2' : 'i32x4',
			this.#state.load(width === 64 ? 'i64' : 'i32', width, ...addressOf(place)),
		);
	}

	readElement(width: Width, place: Place, index: Int<'i32'>): Int {
		const [base, offset] = elementOf(width, place, index);
		return this.#state.load(width === 64 ? 'i64' : 'i32', width, base, offset);
	}

	writeElement(width: Width, place: Place, index: Int<'i32'>, value: Int): void {
		this.#f.store(this.#state, width, ...elementOf(width, place, index), value);
	}

	budget(): Int<'i32'> {
		return this.#state.load('i32', 32, i32(0), CpuState.offset('budget'));
	}

	setBudget(budget: Int<'i32'>): void {
		this.#f.store(this.#state, 32, i32(0), CpuState.offset('budget'), budget);
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

	get looks(): undefined {
		return undefined;
	}

	get missed(): undefined {
		return undefined;
	}
}

/** Base and offset of a place in memory. */
export const addressOf = (place: Place): [Int<'i32'>, number] =>
	typeof place === 'number' ? [i32(0), place] : [place, 0];

/** The same of an element of a vector there. */
export function elementOf(width: Width, place: Place, index: Int<'i32'>): [Int<'i32'>, number] {
	const bytes = width / 8;
	if (index.known !== undefined) {
		const [base, offset] = addressOf(place);
		return [base, offset + Number(index.known) * bytes];
	}
	const distance = index.mul(bytes);
	return typeof place === 'number' ? [distance, place] : [place.add(distance), 0];
}
