import {
	type FunctionBuilder,
	type Int,
	type IntType,
	i32,
	type Local,
	type Memory,
	type ScopedLocal,
	type Vector,
	type Width,
} from '#support/wasm';
import type {Place, Registers} from '#vcpu-worker/software/interpreter';
import type {Difference} from '#vcpu-worker/software/semantics';
import {betweenSteps, CpuState, generalAt} from '#vcpu-worker/software/state';

const word = 8;
/** Bytes of what lives in locals from the way in to the way out: general registers, and behind them the words of the status flags. */
const kept = {begin: generalAt(0), end: CpuState.offset('carry') + word};

const carry = CpuState.offset('carry');
const flags = {begin: CpuState.offset('result'), end: carry + word};
const flagWords = (flags.end - flags.begin) / word;
/** Kinds of steps that set flags in some cases only. */
const setInBranches = new Set<string>();

const isIn = ({begin, end}: {readonly begin: number; readonly end: number}, place: number) =>
	place >= begin && place < end;

/** What a translation leaves by: branches to one place, which writes registers back. */
export interface WayOut {
	/** @param record - what `CpuState.record` is to say */
	leave(end: Int<'i32'>, record: Int<'i32'>): void;
}

/**
 * General registers, the words of the status flags and what instructions keep between their steps in locals of a translation. All else stays in
 * memory.
 */
export class LocalRegisters implements Registers {
	readonly #f: FunctionBuilder;
	readonly #state: Memory<'i32'>;
	readonly #wayOut: WayOut;
	/** Locals by the place of their word. */
	readonly #locals = new Map<number, Local<'i64'>>();
	readonly #written = new Set<number>();
	/** Those words between steps that are in locals now, and how deep their instruction begins. */
	readonly #passing = new Set<number>();
	#depth = 0;
	/** What the words of the flags are where they have been set, to be computed where somebody wants them; by their places. */
	#pending = new Map<number, Int<'i64'>>();
	/** Those set by the present step. */
	readonly #own = new Set<number>();
	/** Locals of steps that these are of. */
	#kept: (readonly ScopedLocal[])[] = [];
	/** Words are computed when they are set: a step may set them or not. */
	#isEager = false;
	#hasSetInBranch = false;
	difference: Difference | undefined;
	/** Not 0 behind a store that has changed code. */
	readonly changed: Local<'i32'>;

	constructor(f: FunctionBuilder, state: Memory<'i32'>, wayOut: WayOut) {
		this.#f = f;
		this.#state = state;
		this.#wayOut = wayOut;
		this.changed = f.lastingLocal('i32');
	}

	/** A block begins: the flags are where all blocks have them. */
	beginBlock(): void {
		this.#pending.clear();
		this.#release();
	}

	/**
	 * Writes a step.
	 * @param kind - what is alike in all steps that set flags in the same way
	 */
	step(kind: string, write: () => void): void {
		const f = this.#f;
		if (!setInBranches.has(kind)) {
			const before = {length: f.out.length, pending: new Map(this.#pending), passing: new Set(this.#passing)};
			const {difference} = this;
			this.#hasSetInBranch = false;
			this.#own.clear();
			const locals = f.keep(write);
			if (!this.#hasSetInBranch) {
				this.#keep(locals);
				return;
			}
			// It sets flags in some cases only: once more, with what they were before computed.
			setInBranches.add(kind);
			f.free(locals);
			f.out.length = before.length;
			this.#pending = before.pending;
			this.difference = difference;
			this.#passing.clear();
			for (const place of before.passing) this.#passing.add(place);
		}
		for (const [place, value] of this.#pending) f.set(this.#local(place), value);
		this.#pending.clear();
		this.#release();
		this.#isEager = true;
		f.scope(write);
		this.#isEager = false;
		this.difference = undefined;
	}

	/** Writes what leaves the block, in a branch or behind all steps, with the words of the flags computed. */
	leaving(write: () => void): void {
		for (const [place, value] of this.#pending) this.#f.set(this.#local(place), value);
		const pending = this.#pending;
		this.#pending = new Map();
		write();
		this.#pending = pending;
	}

	/** Keeps the locals of a step as long as flags are of them. */
	#keep(locals: readonly ScopedLocal[]): void {
		if (this.#pending.size === 0 || this.#own.size === flagWords) this.#release();
		if (this.#pending.size === 0) this.#f.free(locals);
		else this.#kept.push(locals);
	}

	#release(): void {
		for (const locals of this.#kept) this.#f.free(locals);
		this.#kept = [];
		if (this.#pending.size === 0) this.difference = undefined;
	}

	/** An instruction begins: nothing is left of what the one before kept between its steps. */
	begin(): void {
		this.#passing.clear();
		this.#depth = this.#f.depth;
	}

	/** Fills the locals from memory: the translation's first statements. */
	fill(): void {
		for (const [place, local] of this.#locals)
			if (isIn(kept, place)) this.#f.set(local, this.#state.load('i64', 64, i32(0), place));
	}

	/** Writes them back. */
	writeBack(): void {
		for (const place of this.#written) this.#f.store(this.#state, 64, i32(0), place, this.#local(place));
	}

	read(type: IntType, width: Width, place: Place): Int {
		const pending = typeof place === 'number' ? this.#pending.get(place) : undefined;
		if (pending !== undefined) return this.#wanted(place as number, pending);
		const local = this.#localOf(place);
		if (local === undefined) return this.#state.load(type, width, ...addressOf(place));
		const value = shifted(local, place as number);
		if (type === 'i64') return width === 64 ? value : value.and((1n << BigInt(width)) - 1n);
		const narrow = value.toI32();
		return width === 32 ? narrow : narrow.and(width === 16 ? 0xffff : 0xff);
	}

	readSigned(width: Width, place: Place): Int<'i64'> {
		const local = this.#localOf(place);
		if (local === undefined) return this.#state.loadSigned('i64', width, ...addressOf(place));
		const value = shifted(local, place as number);
		if (width === 64) return value;
		if (width === 32) return value.toI32().toI64S();
		return width === 16 ? value.extend16S() : value.extend8S();
	}

	write(width: Width, place: Place, value: Int): void {
		if (typeof place === 'number' && isIn(flags, place) && this.#setFlags(place, value as Int<'i64'>)) return;
		const local = this.#localToWrite(place, width);
		if (local === undefined) {
			const [base, offset] = addressOf(place);
			if (width === 32) this.#f.store(this.#state, 64, base, offset, value.toI32().toI64U());
			else this.#f.store(this.#state, width, base, offset, value);
			return;
		}
		const bits = ((place as number) % word) * 8;
		if (width === 64) this.#f.set(local, value as Int<'i64'>);
		else if (width === 32) this.#f.set(local, value.toI32().toI64U());
		else {
			const mask = (1n << BigInt(width)) - 1n;
			const narrow = value.toI64U().and(mask);
			const rest = local.and(~(mask << BigInt(bits)));
			this.#f.set(local, rest.or(bits === 0 ? narrow : narrow.shl(bits)));
		}
	}

	readVector(place: Place): Vector {
		this.#spill(place);
		return this.#state.loadVector(...addressOf(place));
	}

	writeVector(place: Place, value: Vector): void {
		this.#spill(place);
		this.#f.storeVector(this.#state, ...addressOf(place), value);
		if (typeof place === 'number')
			for (const at of [place, place + word])
				if (this.#passing.has(at)) this.#f.set(this.#local(at), this.#state.load('i64', 64, i32(0), at));
	}

	vectorAt(place: Place): Int<'i32'> {
		this.#spill(place);
		return typeof place === 'number' ? i32(place) : place;
	}

	leave(stop: Int<'i32'>, record: Int<'i32'>): void {
		this.#wayOut.leave(stop, record);
	}

	stored(): void {
		this.#f.set(this.changed, this.#state.load('i32', 32, i32(0), CpuState.offset('codeChanged')));
	}

	/** @returns whether the word is computed later */
	#setFlags(place: number, value: Int<'i64'>): boolean {
		this.difference = undefined;
		this.#written.add(place);
		if (this.#f.depth !== this.#depth) this.#hasSetInBranch = true;
		if (this.#isEager || this.#hasSetInBranch) return false;
		this.#own.add(place);
		this.#pending.set(place, value);
		return true;
	}

	/** A word that is to be computed now; carries only once, as they are long. */
	#wanted(place: number, value: Int<'i64'>): Int<'i64'> {
		if (place !== carry || this.#f.depth !== this.#depth) return value;
		const local = this.#local(place);
		this.#f.set(local, value);
		this.#pending.delete(place);
		return local;
	}

	/** The local that holds a place; undefined where it is in memory. */
	#localOf(place: Place): Local<'i64'> | undefined {
		if (typeof place !== 'number') return undefined;
		const at = place - (place % word);
		if (isIn(kept, at) || (isIn(betweenSteps, at) && this.#passing.has(at))) return this.#local(at);
		return undefined;
	}

	#localToWrite(place: Place, width: Width): Local<'i64'> | undefined {
		if (typeof place !== 'number') return undefined;
		const at = place - (place % word);
		if (isIn(kept, at)) {
			this.#written.add(at);
			return this.#local(at);
		}
		if (!isIn(betweenSteps, at)) return undefined;
		if (this.#passing.has(at)) return this.#local(at);
		// Whatever the local had is of another instruction. Where only one branch writes, all find it in memory.
		if (this.#f.depth !== this.#depth) return undefined;
		this.#passing.add(at);
		const local = this.#local(at);
		if (width < 32) this.#f.set(local, 0);
		return local;
	}

	#local(at: number): Local<'i64'> {
		let local = this.#locals.get(at);
		if (local === undefined) {
			local = this.#f.lastingLocal('i64');
			this.#locals.set(at, local);
		}
		return local;
	}

	/** Puts the words of a value of 128 bits where they are in memory; it may begin within one. */
	#spill(place: Place): void {
		if (typeof place !== 'number' || !isIn(betweenSteps, place)) return;
		for (let at = place - (place % word); at < place + 2 * word; at += word) {
			if (!this.#passing.has(at)) continue;
			this.#f.store(this.#state, 64, i32(0), at, this.#local(at));
			// In a branch, both have it from now on.
			if (this.#f.depth === this.#depth) this.#passing.delete(at);
		}
	}
}

/** Base and offset of a place in memory. */
const addressOf = (place: Place): [Int<'i32'>, number] => (typeof place === 'number' ? [i32(0), place] : [place, 0]);

/** The word from a byte on. */
const shifted = (local: Local<'i64'>, place: number): Int<'i64'> => {
	const bits = (place % word) * 8;
	return bits === 0 ? local : local.shrU(bits);
};
