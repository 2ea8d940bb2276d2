import {ByteWriter} from './byte-writer.ts';
import {Expr, Int, type IntType, type Operand, type ValueType, valueTypes, type Width} from './expr.ts';
import type {Memory} from './memory.ts';
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

/** What a scope gives back. */
export type ScopedLocal = Local | VectorLocal;

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

/** How a condition mostly is. */
export interface Hint {
	/** Offset of the instruction that goes by it. */
	readonly at: number;
	readonly isLikely: boolean;
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
	readonly #free: {readonly [T in IntType]: Local[]} & {readonly v128: VectorLocal[]} = {i32: [], i64: [], v128: []};
	/** Where conditions begin that seldom hold, or mostly do. */
	#hints: Hint[] = [];
	#scope: ScopedLocal[] = [];
	#depth = 0;

	constructor(parameters: P) {
		this.parameters = parameters.map((type, index) => new Local(type, index)) as readonly Local[] as Parameters<P>;
	}

	/** A variable, 0 or what a scope before has left in it. It ends with the scope. */
	local<T extends IntType>(type: T): Local<T> {
		const local = (this.#free[type].pop() as Local<T> | undefined) ?? this.#newLocal(type);
		local.sum = undefined;
		this.#scope.push(local as Local);
		return local;
	}

	/** A variable that lasts as long as the function, 0 at its beginning. */
	lastingLocal<T extends IntType>(type: T): Local<T> {
		return this.#newLocal(type);
	}

	/** Computes a value once. */
	let<T extends IntType>(value: Int<T>): Local<T> {
		const local = this.local(value.type);
		this.set(local, value);
		local.sum = value.sum ?? {of: {}, offset: 0n};
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
		local.sum = undefined;
	}

	/** A variable of 128 bits, as {@link local} gives them. */
	vectorLocal(): VectorLocal {
		const local = this.#free.v128.pop() ?? this.#newVectorLocal();
		this.#scope.push(local);
		return local;
	}

	/** A vector that lasts as long as the function, 0 at its beginning. */
	lastingVectorLocal(): VectorLocal {
		return this.#newVectorLocal();
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

	/** Number of structures that are open. */
	get depth(): number {
		return this.#depth;
	}

	/** Writes statements in front of all that are there. */
	before(body: () => void): void {
		const rest = this.out.bytes.slice();
		const hints = this.#hints;
		this.out.length = 0;
		this.#hints = [];
		body();
		this.#hints.push(...hints.map(({at, isLikely}) => ({at: at + this.out.length, isLikely})));
		this.out.append(rest);
	}

	/** Takes back what has been written since there were so many bytes. */
	takeBack(length: number): void {
		this.out.length = length;
		this.#hints = this.#hints.filter(({at}) => at < length);
	}

	/** Writes parts of what there is anew, in their order. @param parts - lengths of the code; what is written can have parts of the old code */
	rewrite(
		parts: readonly {
			readonly begin: number;
			readonly end: number;
			write(copy: (begin: number, end: number) => void): void;
		}[],
	): void {
		const [first] = parts;
		if (first === undefined) return;
		const {begin: start} = first;
		const old = this.out.bytes.slice(start);
		const hints = this.#hints.filter(({at}) => at >= start);
		this.takeBack(start);
		const copy = (begin: number, end: number) => {
			const shift = this.out.length - begin;
			this.out.append(old.subarray(begin - start, end - start));
			for (const {at, isLikely} of hints) if (at >= begin && at < end) this.#hints.push({at: at + shift, isLikely});
		};
		let from = start;
		for (const {begin, end, write} of parts) {
			copy(from, begin);
			write(copy);
			from = end;
		}
		copy(from, start + old.length);
	}

	/** Locals made by `body` are free afterwards. */
	scope(body: () => void): void {
		this.free(this.keep(body));
	}

	/** Gives the locals made by `body`, which nobody else gets until they are given to {@link free}. */
	keep(body: () => void): readonly ScopedLocal[] {
		const outer = this.#scope;
		this.#scope = [];
		body();
		const kept = this.#scope;
		this.#scope = outer;
		return kept;
	}

	free(locals: readonly ScopedLocal[]): void {
		for (const local of locals)
			if (local instanceof VectorLocal) this.#free.v128.push(local);
			else (this.#free[local.type] as Local[]).push(local);
	}

	store<A extends IntType>(memory: Memory<A>, width: Width, base: Operand<A>, offset: number, value: Int): void {
		memory.emitStore(this.out, width, base, offset, value);
	}

	storeVector<A extends IntType>(memory: Memory<A>, base: Operand<A>, offset: number, value: Vector): void {
		memory.emitStoreVector(this.out, base, offset, value);
	}

	/** Copies bytes within a memory; the ranges may overlap. */
	copy<A extends IntType>(memory: Memory<A>, target: Operand<A>, source: Operand<A>, length: Operand<A>): void {
		memory.emitCopy(this.out, target, source, length);
	}

	/** Fills bytes of a memory with the low byte of `value`. */
	fill<A extends IntType>(memory: Memory<A>, target: Operand<A>, value: Int<'i32'>, length: Operand<A>): void {
		memory.emitFill(this.out, target, value, length);
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

	/** Of a condition that is known it writes what comes about alone. */
	if(condition: Int<'i32'>, then: () => void, otherwise?: () => void): void {
		this.#if(condition, then, otherwise);
	}

	/** The same of what mostly holds: V8 has what comes about otherwise lie behind all else, and keeps registers by what mostly comes. */
	ifLikely(condition: Int<'i32'>, then: () => void, otherwise: () => void): void {
		this.#if(condition, then, otherwise, true);
	}

	/** The same of what seldom holds. */
	ifUnlikely(condition: Int<'i32'>, then: () => void): void {
		this.#if(condition, then, undefined, false);
	}

	#if(condition: Int<'i32'>, then: () => void, otherwise?: () => void, isLikely?: boolean): void {
		if (condition.known !== undefined) {
			const body = condition.known === 0n ? otherwise : then;
			if (body !== undefined) this.scope(body);
			return;
		}
		condition.emit(this.out);
		if (isLikely !== undefined) this.#hints.push({at: this.out.length, isLikely});
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

	/** Goes to the label of this number, to the last one for all that have none. */
	brTable(index: Int<'i32'>, labels: readonly Label[]): void {
		index.emit(this.out);
		this.out.byte(0x0e);
		this.out.unsigned(labels.length - 1);
		for (const label of labels) this.out.unsigned(this.#depth - label.depth);
	}

	/** Runs the case of this number, the last one for all that have none, and goes on after the switch. */
	switch(index: Int<'i32'>, cases: readonly (() => void)[]): void {
		if (index.known !== undefined) {
			this.scope(cases[Number(BigInt.asUintN(32, index.known))] ?? (cases.at(-1) as () => void));
			return;
		}
		const labels: Label[] = [];
		this.block((end) => {
			const open = (at: number): void => {
				if (at < 0) {
					this.brTable(index, labels);
					return;
				}
				this.block((label) => {
					labels[at] = label;
					open(at - 1);
				});
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

	/**
	 * Calls a table's function in place of this one, whose frame is gone then: chains of such calls have no end. Its result is this one's.
	 * (Core specification, 5.4.1: `return_call_indirect`, of the proposal for tail calls.)
	 */
	returnCallIn(table: Table, slot: Int<'i32'>, ...values: readonly Expr[]): void {
		emitCallIn(this.out, returnCall, table, slot, values);
	}

	/** Traps: where the code is sure not to come. */
	unreachable(): void {
		this.out.byte(0x00);
	}

	/** Where in {@link encode} conditions are that seldom hold, or mostly do. */
	get hints(): readonly Hint[] {
		const {length} = this.#encodeLocals();
		return this.#hints.map(({at, isLikely}) => ({at: at + length, isLikely}));
	}

	#encodeLocals(): ByteWriter {
		const body = new ByteWriter();
		body.unsigned(this.#types.length);
		for (const type of this.#types) {
			body.unsigned(1);
			body.byte(valueTypes[type]);
		}
		return body;
	}

	/** The function as a module's code section has it. */
	encode(): Uint8Array {
		const body = this.#encodeLocals();
		body.append(this.out.bytes);
		body.byte(0x0b);
		return body.bytes;
	}

	#newLocal<T extends IntType>(type: T): Local<T> {
		this.#types.push(type);
		return new Local(type, this.parameters.length + this.#types.length - 1);
	}

	#newVectorLocal(): VectorLocal {
		this.#types.push('v128');
		return new VectorLocal(this.parameters.length + this.#types.length - 1);
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

/** Functions of one type, which code calls by number: it traps where there is none. */
export interface Table<R extends ValueType = ValueType> {
	readonly index: number;
	/** Number of the functions' type in the module. */
	readonly type: number;
	readonly result: R;
}

/** The value of a call of a table's function, as {@link callOf} has it. */
export function callIn<T extends IntType>(table: Table<T>, slot: Int<'i32'>, ...values: readonly Expr[]): Int<T> {
	return new Int(table.result, (out) => emitCallIn(out, call, table, slot, values));
}

/** Codes of instructions that call a table's function. */
const [call, returnCall] = [0x11, 0x13];

function emitCallIn(out: ByteWriter, code: number, table: Table, slot: Int<'i32'>, values: readonly Expr[]): void {
	for (const value of [...values, slot]) value.emit(out);
	out.byte(code);
	out.unsigned(table.type);
	out.unsigned(table.index);
}

function emitCall(out: ByteWriter, func: Func, values: readonly Expr[]): void {
	for (const value of values) value.emit(out);
	out.byte(0x10);
	out.unsigned(func.index);
}
