import {ByteWriter} from './byte-writer.ts';
import {Expr, Int, type IntType, type Operand, type ValueType, valueTypes} from './expr.ts';
import type {Memory, Width} from './memory.ts';
import {Vector} from './vector.ts';

/** A variable of a function, or one of its parameters. */
export class Local<T extends IntType = IntType> extends Int<T> {
	readonly index: number;

	constructor(type: T, index: number) {
		super(type, (out) => {
			out.byte(0x20);
			out.unsigned(index);
		});
		this.index = index;
	}
}

/** A variable of 128 bits. */
export class VectorLocal extends Vector {
	readonly index: number;

	constructor(index: number) {
		super('v128', (out) => {
			out.byte(0x20);
			out.unsigned(index);
		});
		this.index = index;
	}
}

/** A function of a module: imported, or built. */
export interface Func {
	readonly index: number;
	readonly parameters: readonly ValueType[];
	readonly result: ValueType | undefined;
}

/** Target of a branch: the end of a block, or the begin of a loop. */
export interface Label {
	/** Number of structures open around it. */
	readonly depth: number;
}

/** Type of a block without a value. */
const noValue = 0x40;

/** Parameters of these types. */
export type Parameters<P extends readonly IntType[]> = {readonly [K in keyof P]: Local<P[K]>};

/** Writes one function, statement after statement. */
export class FunctionBuilder<P extends readonly IntType[] = readonly IntType[]> {
	readonly parameters: Parameters<P>;
	readonly out = new ByteWriter();
	readonly #types: ValueType[] = [];
	/** Locals that no statement uses any more. */
	readonly #free: {readonly [T in IntType]: Local[]} = {i32: [], i64: []};
	#scope: Local[] = [];
	#depth = 0;

	constructor(parameters: P) {
		this.parameters = parameters.map((type, index) => new Local(type, index)) as readonly Local[] as Parameters<P>;
	}

	/** A variable, 0 or what a scope before has left in it. It ends with the scope. */
	local<T extends IntType>(type: T): Local<T> {
		const local = (this.#free[type].pop() as Local<T> | undefined) ?? this.#newLocal(type);
		this.#scope.push(local as Local);
		return local;
	}

	/** Computes a value once. */
	let<T extends IntType>(value: Int<T>): Local<T> {
		const local = this.local(value.type);
		this.set(local, value);
		return local;
	}

	set<T extends IntType>(local: Local<T>, value: Operand<T>): void {
		const expr = value instanceof Expr ? value : undefined;
		if (expr === undefined) {
			this.out.byte(local.type === 'i32' ? 0x41 : 0x42);
			if (local.type === 'i32') this.out.signed(Number(value));
			else this.out.signed64(BigInt(value as number | bigint));
		} else expr.emit(this.out);
		this.out.byte(0x21);
		this.out.unsigned(local.index);
	}

	/** A variable of 128 bits, which no scope gives back. */
	vectorLocal(): VectorLocal {
		this.#types.push('v128');
		return new VectorLocal(this.parameters.length + this.#types.length - 1);
	}

	/** Computes a vector once. */
	letVector(value: Vector): VectorLocal {
		const local = this.vectorLocal();
		this.setVector(local, value);
		return local;
	}

	setVector(local: VectorLocal, value: Vector): void {
		value.emit(this.out);
		this.out.byte(0x21);
		this.out.unsigned(local.index);
	}

	/** Locals made by `body` are free afterwards. */
	scope(body: () => void): void {
		const outer = this.#scope;
		this.#scope = [];
		body();
		for (const local of this.#scope) (this.#free[local.type] as Local[]).push(local);
		this.#scope = outer;
	}

	store<A extends IntType>(memory: Memory<A>, width: Width, base: Operand<A>, offset: number, value: Int): void {
		memory.emitStore(this.out, width, base, offset, value);
	}

	storeVector<A extends IntType>(memory: Memory<A>, base: Operand<A>, offset: number, value: Vector): void {
		memory.emitStoreVector(this.out, base, offset, value);
	}

	/** Computes a value for its effect. */
	do(value: Expr): void {
		value.emit(this.out);
		this.out.byte(0x1a);
	}

	/** Calls a function that returns nothing. */
	call(func: Func, ...values: readonly Expr[]): void {
		emitCall(this.out, func, values);
	}

	if(condition: Int<'i32'>, then: () => void, otherwise?: () => void): void {
		condition.emit(this.out);
		this.out.append([0x04, noValue]);
		this.#inside(then);
		if (otherwise !== undefined) {
			this.out.byte(0x05);
			this.#inside(otherwise);
		}
		this.out.byte(0x0b);
	}

	/** A branch to the label leaves the block. */
	block(body: (end: Label) => void): void {
		this.out.append([0x02, noValue]);
		this.#inside(() => body({depth: this.#depth}));
		this.out.byte(0x0b);
	}

	/** A branch to the label repeats the body; without one it ends. */
	loop(body: (again: Label) => void): void {
		this.out.append([0x03, noValue]);
		this.#inside(() => body({depth: this.#depth}));
		this.out.byte(0x0b);
	}

	br(label: Label): void {
		this.out.byte(0x0c);
		this.out.unsigned(this.#depth - label.depth);
	}

	brIf(label: Label, condition: Int<'i32'>): void {
		condition.emit(this.out);
		this.out.byte(0x0d);
		this.out.unsigned(this.#depth - label.depth);
	}

	/** Runs the case of this number, the last one for all that have none, and goes on after the switch. */
	switch(index: Int<'i32'>, cases: readonly (() => void)[]): void {
		this.block((end) => {
			const open = (at: number): void => {
				if (at < 0) {
					index.emit(this.out);
					this.out.byte(0x0e);
					this.out.unsigned(cases.length - 1);
					for (let i = 0; i < cases.length; i++) this.out.unsigned(i);
					return;
				}
				this.block(() => open(at - 1));
				this.scope(() => cases[at]?.());
				if (at < cases.length - 1) this.br(end);
			};
			open(cases.length - 1);
		});
	}

	return(value?: Expr): void {
		value?.emit(this.out);
		this.out.byte(0x0f);
	}

	/** Traps: where the code is sure not to come. */
	unreachable(): void {
		this.out.byte(0x00);
	}

	/** The function as a module's code section has it. */
	encode(): Uint8Array {
		const body = new ByteWriter();
		body.unsigned(this.#types.length);
		for (const type of this.#types) {
			body.unsigned(1);
			body.byte(valueTypes[type]);
		}
		body.append(this.out.bytes);
		body.byte(0x0b);
		return body.bytes;
	}

	#newLocal<T extends IntType>(type: T): Local<T> {
		this.#types.push(type);
		return new Local(type, this.parameters.length + this.#types.length - 1);
	}

	#inside(body: () => void): void {
		this.#depth++;
		this.scope(body);
		this.#depth--;
	}
}

/** A call's value. It is computed, with all effects, where it stands: give it to one statement only. */
export function callOf<T extends IntType>(func: Func & {readonly result: T}, ...values: readonly Expr[]): Int<T> {
	return new Int(func.result, (out) => emitCall(out, func, values));
}

function emitCall(out: ByteWriter, func: Func, values: readonly Expr[]): void {
	for (const value of values) value.emit(out);
	out.byte(0x10);
	out.unsigned(func.index);
}
