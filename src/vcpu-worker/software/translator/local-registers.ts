import {
	type FunctionBuilder,
	Int,
	type IntType,
	i32,
	type Local,
	type Memory,
	type ScopedLocal,
	type Sum,
	splat,
	type Vector,
	type Width,
} from '#support/wasm';
import {addressOf, elementOf, type Place, type Registers, type SharedLooks} from '#vcpu-worker/software/interpreter';
import {type Difference, differenceWords, signExtended} from '#vcpu-worker/software/semantics';
import {betweenSteps, CpuState, entryBits, generalAt} from '#vcpu-worker/software/state';
import {LocalVectors} from './local-vectors.ts';
import {BlockLooks} from './shared-looks.ts';

const word = 8;
const vectorBytes = 16;
/** Those that elements may be of, by numbers that code computes. */
const wideBytes = 32;
/** Bytes of what lives in locals from the way in to the way out: general registers, and behind them the words of the status flags. */
const kept = {begin: generalAt(0), end: CpuState.offset('carry') + word};

const budgetAt = CpuState.offset('budget');
const carry = CpuState.offset('carry');
const lateFlags = CpuState.offset('lateFlags');
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
	/** Has the interpreter begin the present instruction anew. */
	missed(): void;
}

/**
 * General registers, the words of the status flags, vectors, and what instructions keep between their steps in locals of a translation. All else
 * stays in memory.
 */
export class LocalRegisters implements Registers {
	readonly #f: FunctionBuilder;
	readonly #state: Memory<'i32'>;
	readonly #wayOut: WayOut;
	/** Locals by the place of their word. */
	readonly #locals = new Map<number, Local<'i64'>>();
	readonly #written = new Set<number>();
	readonly #vectors: LocalVectors;
	#budget: Local<'i32'> | undefined;
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
	/** What tells the flags where blocks meet, if not their words: operands of a subtraction, and its bits, or 0. */
	readonly #late: {readonly a: Local<'i64'>; readonly b: Local<'i64'>; readonly width: Local<'i32'>};
	/** The words are known to tell the flags that are not pending. */
	#areWords = false;
	/** Not 0 behind a store that has changed code. */
	readonly changed: Local<'i32'>;
	/** Without a call V8 keeps registers where they are, in the processor's. */
	readonly missed: () => void;
	looks: SharedLooks | undefined;
	/** Bits in which the first and the last byte of a window are not alike that is not in one page known to the TLB. */
	readonly differ: Local<'i64'>;
	/** What registers, and words between steps, are sums of; by their places. */
	readonly #sums = new Map<number, Sum>();
	/** What these were before the present step. */
	readonly #before: [place: number, sum: Sum | undefined][] = [];

	constructor(f: FunctionBuilder, state: Memory<'i32'>, wayOut: WayOut) {
		this.#f = f;
		this.#state = state;
		this.#wayOut = wayOut;
		this.#vectors = new LocalVectors(f, state);
		this.missed = () => wayOut.missed();
		this.changed = f.lastingLocal('i32');
		this.differ = f.lastingLocal('i64');
		this.#late = {a: f.lastingLocal('i64'), b: f.lastingLocal('i64'), width: f.lastingLocal('i32')};
	}

	/** Has accesses of blocks have looks in common from now on. @returns what is to be called where a block is written */
	shareLooks(): () => void {
		const looks = new BlockLooks(this.#f, this.differ);
		this.looks = {
			// What one branch has found, others have not.
			note: (access) => this.#f.depth === this.#depth && looks.note(access),
			end: () => looks.end(),
		};
		return () => looks.share();
	}

	/** A block begins: the flags are where all blocks have them, in their words or as a subtraction. */
	beginBlock(): void {
		this.#sums.clear();
		this.#pending.clear();
		this.#areWords = false;
		this.#release();
	}

	/**
	 * Writes a step.
	 * @param kind - what is alike in all steps that set flags in the same way
	 */
	step(kind: string, write: () => void): void {
		const f = this.#f;
		if (!setInBranches.has(kind)) {
			const before = {
				length: f.out.length,
				pending: new Map(this.#pending),
				passing: new Set(this.#passing),
				vectors: this.#vectors.passing,
				areWords: this.#areWords,
			};
			const {difference} = this;
			this.#hasSetInBranch = false;
			this.#own.clear();
			this.#before.length = 0;
			const locals = f.keep(write);
			if (!this.#hasSetInBranch) {
				this.#keep(locals);
				return;
			}
			// It sets flags in some cases only: once more, with what they were before computed.
			setInBranches.add(kind);
			f.free(locals);
			f.takeBack(before.length);
			this.#pending = before.pending;
			this.difference = difference;
			this.#passing.clear();
			for (const place of before.passing) this.#passing.add(place);
			this.#vectors.passing = before.vectors;
			this.#areWords = before.areWords;
			for (const [place, sum] of this.#before.toReversed())
				if (sum === undefined) this.#sums.delete(place);
				else this.#sums.set(place, sum);
		}
		this.#toWords();
		for (const [place, value] of this.#pending) f.set(this.#local(place), value);
		this.#pending.clear();
		this.#release();
		this.#isEager = true;
		f.scope(write);
		this.#isEager = false;
		this.difference = undefined;
	}

	/** Writes what leaves the block, in a branch or behind all steps. A subtraction is left as such: who wants its flags computes them. */
	leaving(write: () => void): void {
		const f = this.#f;
		const [pending, areWords] = [this.#pending, this.#areWords];
		if (this.difference !== undefined && pending.size > 0) {
			const {a, b, width} = this.difference;
			f.set(this.#late.a, a.toI64U());
			f.set(this.#late.b, b.toI64U());
			f.set(this.#late.width, width);
		} else if (pending.size > 0) {
			this.#toWords();
			for (const [place, value] of pending) f.set(this.#local(place), value);
		}
		this.#pending = new Map();
		write();
		this.#pending = pending;
		this.#areWords = areWords;
	}

	/** Has the words tell the flags that are not pending. */
	#toWords(): void {
		const {width} = this.#late;
		if (this.#areWords) return;
		if (this.#pending.size === flagWords) this.#f.set(width, 0);
		else this.#f.if(width, () => this.#computeLate());
		// In a branch, the others may have it otherwise.
		this.#areWords = this.#f.depth === this.#depth;
	}

	/** Computes the words of the subtraction that tells the flags. */
	#computeLate(): void {
		const f = this.#f;
		const {a, b, width} = this.#late;
		const {result, carry: carries} = differenceWords(f, a, b, width);
		for (const place of [flags.begin, flags.begin + word, carry]) this.#written.add(place);
		f.set(this.#local(flags.begin), result);
		f.set(this.#local(flags.begin + word), result);
		f.set(this.#local(carry), carries);
		f.set(width, 0);
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
		this.#vectors.passing = [];
		this.#depth = this.#f.depth;
	}

	/** Fills the locals from memory: the translation's first statements. @param entry - what it is given, of which the width of late flags is taken */
	fill(entry: Local<'i32'>): void {
		const {a, b, width} = this.#late;
		this.#f.set(width, entry.shrU(entryBits));
		this.#f.set(entry, entry.and((1 << entryBits) - 1));
		for (const [index, operand] of [a, b].entries())
			this.#f.set(operand, this.#state.load('i64', 64, i32(0), lateFlags + index * word));
		for (const [place, local] of this.#locals)
			if (isIn(kept, place)) this.#f.set(local, this.#state.load('i64', 64, i32(0), place));
		this.#vectors.fill();
		if (this.#budget !== undefined) this.#f.set(this.#budget, this.#state.load('i32', 32, i32(0), budgetAt));
	}

	/** Writes them back for another translation. @param entry - at which that begins @returns what it is given */
	handOver(entry: Int<'i32'>): Int<'i32'> {
		const {a, b, width} = this.#late;
		this.#store();
		for (const [index, operand] of [a, b].entries())
			this.#f.store(this.#state, 64, i32(0), lateFlags + index * word, operand);
		return entry.or(width.shl(entryBits));
	}

	/** Writes them back. */
	writeBack(): void {
		this.#f.if(this.#late.width, () => this.#computeLate());
		this.#store();
	}

	#store(): void {
		this.#vectors.writeBack();
		if (this.#budget !== undefined) this.#f.store(this.#state, 32, i32(0), budgetAt, this.#budget);
		for (const place of this.#written) this.#f.store(this.#state, 64, i32(0), place, this.#local(place));
	}

	read(type: IntType, width: Width, place: Place): Int {
		const pending = typeof place === 'number' ? this.#pending.get(place) : undefined;
		if (pending !== undefined) return this.#wanted(place as number, pending);
		if (typeof place === 'number' && isIn(flags, place)) this.#toWords();
		const local = this.#localOf(place);
		if (local === undefined) {
			const lane = typeof place === 'number' ? this.#vectors.readLane(width, place) : undefined;
			if (lane !== undefined) return type === 'i64' ? lane.toI64U() : lane.toI32();
			this.#spill(place, width / 8);
			return this.#state.load(type, width, ...addressOf(place));
		}
		if (type === 'i64' && width === 64 && (place as number) % word === 0) return this.#withSum(local, place as number);
		const value = shifted(local, place as number);
		if (type === 'i64') return width === 64 ? value : value.and((1n << BigInt(width)) - 1n);
		const narrow = value.toI32();
		return width === 32 ? narrow : narrow.and(width === 16 ? 0xffff : 0xff);
	}

	readSigned(width: Width, place: Place): Int<'i64'> {
		return signExtended(this.read(width === 64 ? 'i64' : 'i32', width, place), width);
	}

	write(width: Width, place: Place, value: Int): void {
		if (typeof place === 'number' && isIn(flags, place) && this.#setFlags(place, value as Int<'i64'>)) return;
		const lane = typeof place === 'number' && width === 32 ? value.toI32().toI64U() : value;
		if (typeof place === 'number' && this.#vectors.writeLane(width === 32 ? 64 : width, place, lane)) return;
		const local = this.#localToWrite(place, width);
		if (local === undefined) {
			const [base, offset] = addressOf(place);
			const bytes = width === 32 ? word : width / 8;
			if (typeof place === 'number') this.#spill(place, bytes);
			if (width === 32) this.#f.store(this.#state, 64, base, offset, value.toI32().toI64U());
			else this.#f.store(this.#state, width, base, offset, value);
			if (typeof place === 'number') this.#refill(place, bytes);
			return;
		}
		const bits = ((place as number) % word) * 8;
		this.#noteSum(place as number, width === 64 ? value.sum : undefined);
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
		const found = typeof place === 'number' ? this.#vectors.read(place) : undefined;
		if (found !== undefined) return found;
		this.#spill(place);
		return this.#state.loadVector(...addressOf(place));
	}

	writeVector(place: Place, value: Vector): void {
		if (typeof place !== 'number') {
			this.#f.storeVector(this.#state, place, 0, value);
			return;
		}
		if (this.#vectors.write(place, value)) return;
		this.#spill(place);
		if (isIn(betweenSteps, place) && this.#f.depth === this.#depth) {
			this.#vectors.pass(place, value);
			return;
		}
		this.#f.storeVector(this.#state, i32(0), place, value);
		this.#refill(place, vectorBytes);
	}

	readFirst(width: 32 | 64, place: Place): Vector {
		const found = typeof place === 'number' ? this.#vectors.find(place) : undefined;
		if (found?.distance === 0) return found.local.shuffle(found.local, firstOf[width]);
		return splat(width === 64 ? 'i64x2' : 'i32x4', this.read(width === 64 ? 'i64' : 'i32', width, place));
	}

	readElement(width: Width, place: Place, index: Int<'i32'>): Int {
		const [base, offset] = elementOf(width, place, index);
		const type = width === 64 ? 'i64' : 'i32';
		if (base.known === 0n) return this.read(type, width, offset);
		this.#spill(place, wideBytes);
		return this.#state.load(type, width, base, offset);
	}

	writeElement(width: Width, place: Place, index: Int<'i32'>, value: Int): void {
		const [base, offset] = elementOf(width, place, index);
		if (base.known === 0n && this.#vectors.writeLane(width, offset, value)) return;
		this.#spill(place, wideBytes);
		this.#f.store(this.#state, width, base, offset, value);
		if (typeof place === 'number') this.#refill(place, wideBytes);
	}

	budget(): Int<'i32'> {
		this.#budget ??= this.#f.lastingLocal('i32');
		return this.#budget;
	}

	setBudget(budget: Int<'i32'>): void {
		this.#budget ??= this.#f.lastingLocal('i32');
		this.#f.set(this.#budget, budget);
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
		this.#toWords();
		const local = this.#local(place);
		this.#f.set(local, value);
		this.#pending.delete(place);
		return local;
	}

	/** The value of a local, by what it is a sum of: where that is not known, of itself. */
	#withSum(local: Local<'i64'>, place: number): Int<'i64'> {
		const value = new Int('i64', local.emit);
		value.sum = this.#sums.get(place) ?? {of: {}, offset: 0n};
		this.#sums.set(place, value.sum);
		return value;
	}

	/** A word gets a value that may be a sum. In a branch, others find another one. */
	#noteSum(place: number, sum: Sum | undefined): void {
		const at = place - (place % word);
		this.#before.push([at, this.#sums.get(at)]);
		if (sum === undefined || this.#f.depth !== this.#depth) this.#sums.delete(at);
		else this.#sums.set(at, sum);
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

	/** Puts bytes where they are in memory, as far as they are in locals; they may begin within a word. */
	#spill(place: Place, bytes = vectorBytes): void {
		if (typeof place !== 'number') return;
		// What is between steps is in memory alone then; in a branch, both have it.
		const isAlone = this.#f.depth === this.#depth;
		for (const at of this.#vectors.within(place, place + bytes)) {
			this.#vectors.store(at);
			if (isAlone) this.#vectors.drop(at);
		}
		if (!isIn(betweenSteps, place)) return;
		for (let at = place - (place % word); at < place + bytes; at += word) {
			if (!this.#passing.has(at)) continue;
			this.#f.store(this.#state, 64, i32(0), at, this.#local(at));
			if (isAlone) this.#passing.delete(at);
		}
	}

	/** Has locals say what memory does from a place on. */
	#refill(place: number, bytes: number): void {
		for (const at of this.#vectors.within(place, place + bytes)) this.#vectors.reload(at);
		for (let at = place - (place % word); at < place + bytes; at += word)
			if (this.#passing.has(at)) {
				this.#noteSum(at, undefined);
				this.#f.set(this.#local(at), this.#state.load('i64', 64, i32(0), at));
			}
	}
}

/** Bytes of the first element of a vector, in all elements. */
const firstOf = {
	32: Array.from({length: vectorBytes}, (_, byte) => byte % 4),
	64: Array.from({length: vectorBytes}, (_, byte) => byte % 8),
} as const;

/** The word from a byte on. */
const shifted = (local: Local<'i64'>, place: number): Int<'i64'> => {
	const bits = (place % word) * 8;
	return bits === 0 ? local : local.shrU(bits);
};
