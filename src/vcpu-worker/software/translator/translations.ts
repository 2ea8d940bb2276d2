import type {Core, Translation} from '#vcpu-worker/software/interpreter';
import {MicroOp} from '#vcpu-worker/software/state';
import {buildRegions} from './build-regions.ts';
import {formRegion, type Region} from './region.ts';

/** Finds the first record of the block at an offset of a page; undefined where none has been executed. */
export type FirstAt = (offset: number) => number | undefined;

/** A block that is to be translated. */
interface Wanted {
	readonly head: number;
	readonly offset: number;
	readonly firstAt: FirstAt;
}

/** A region of a processor that has the first records of its blocks here. */
interface OwnRegion extends Region {
	readonly firsts: readonly number[];
}

/** A module, of which some functions are in use. */
interface Batch {
	readonly bytes: number;
	inUse: number;
}

/** A translation. */
interface Known {
	/** Heads of its blocks. */
	readonly heads: readonly number[];
	readonly batch: Batch;
}

/** A block at which a region begins too has been executed this part of what a hot one has: a shift. */
const warmShift = 4;
/** Executions of a block that waits: more than it can have. */
const whileWanted = 2 ** 31 - 1;

/** A module costs as much as ten of its functions: blocks wait until there are so many, or for so many turns. */
const batchSize = 16;
const maxTurns = 8;
/** Steps with which a batch has enough: nobody looks at requests while it is made. */
const batchSteps = 1800;

/** WebAssembly that a machine's processors keep together, and each of them at least, where it is one of many. */
const machineBytes = 16 * 2 ** 20;
const leastBytes = 2 ** 20;

/** The translations of one processor: what is hot is translated in batches, and thrown away when nothing leads to it, or all together when they are too many. */
export class Translations {
	/** How often a block is executed before it is translated; undefined: none is. */
	heat: number | undefined;
	/** Most bytes of WebAssembly that are kept: V8 makes up to sixty times as much of them. */
	maxBytes: number;
	readonly #core: Core;
	/** By their numbers. */
	readonly #known = new Map<number, Known>();
	/** Numbers of the translations that a block is part of, by its head. */
	readonly #within = new Map<number, Set<number>>();
	readonly #free: number[] = [];
	#next = 1;
	/** By their heads. */
	readonly #wanted = new Map<number, Wanted>();
	#turns = 0;
	#bytes = 0;

	/** @param processors - of the machine, which share its bound */
	constructor(core: Core, processors: number) {
		this.#core = core;
		this.maxBytes = Math.max(machineBytes / processors, leastBytes);
		core.removed = (heads, executions) => this.#remove(heads, executions);
		core.forgotten = () => this.#clear();
	}

	/** Translations there are, and their bytes of WebAssembly. */
	get size(): {readonly translations: number; readonly bytes: number} {
		return {translations: this.#known.size, bytes: this.#bytes};
	}

	/** A block has become hot. */
	want(wanted: Wanted): void {
		this.#wanted.set(wanted.head, wanted);
		this.#core.count(wanted.head, whileWanted);
		if (this.#wanted.size >= batchSize || (this.heat ?? 0) <= 1) this.#translate();
	}

	/** Some time has gone by. */
	turn(): void {
		if (this.#wanted.size > 0 && ++this.#turns >= maxTurns) this.#translate();
	}

	#translate(): void {
		const core = this.#core;
		const regions = this.#regions();
		if (regions.length === 0) return;
		const bytes = buildRegions(regions);
		if (this.#bytes + bytes.length > this.maxBytes) this.#forget();
		const functions = core.instantiate(bytes);
		const batch = {bytes: bytes.length, inUse: regions.length};
		this.#bytes += batch.bytes;
		for (const [index, {firsts, entries}] of regions.entries()) {
			const number = this.#number();
			core.place(number, functions[`${index}`] as Translation, firsts);
			const heads = firsts.map(headOf);
			for (const block of entries) core.enter(heads[block] as number, number, block);
			for (const head of heads) this.#addWithin(head, number);
			this.#known.set(number, {heads, batch});
		}
	}

	/** Forms the regions of all blocks that wait: each block begins in one of them. */
	#regions(): readonly OwnRegion[] {
		const core = this.#core;
		const heat = this.heat ?? 0;
		const warm = heat - Math.max(heat >> warmShift, 1);
		const taken = new Set<number>();
		const regions: OwnRegion[] = [];
		let steps = 0;
		for (const {head, offset, firstAt} of this.#wanted.values()) {
			if (steps >= batchSteps) break;
			// The iteration goes on with those that are left.
			this.#wanted.delete(head);
			if (taken.has(head) || core.leftOf(head) === undefined) continue;
			const isWarm = (first: number) => {
				const left = taken.has(headOf(first)) ? undefined : core.leftOf(headOf(first));
				return left !== undefined && (left <= warm || this.#wanted.has(headOf(first)));
			};
			const region = formRegion(core.memory, offset, firstAt, isWarm);
			const firsts = region.blocks.map(({start}) => firstAt(start) as number);
			for (const number of region.entries) taken.add(headOf(firsts[number] as number));
			regions.push({...region, firsts});
			for (const block of region.blocks) steps += block.steps.length;
		}
		this.#turns = 0;
		return regions;
	}

	/** A number that no translation has. */
	#number(): number {
		const free = this.#free.pop();
		if (free !== undefined) return free;
		if (this.#next >= this.#core.translations.length) this.#forget();
		return this.#free.pop() ?? this.#next++;
	}

	/** Has all blocks count again. */
	#forget(): void {
		for (const head of this.#wanted.keys()) this.#core.count(head, this.heat ?? 0);
		for (const [number, {heads}] of this.#known) this.#count(number, heads, this.heat ?? 0);
		this.#clear();
	}

	/** Has the blocks at which a translation begins count again. */
	#count(number: number, heads: readonly number[], executions: number): void {
		for (const head of heads) if (this.#core.translationOf(head) === number) this.#core.count(head, executions);
	}

	#clear(): void {
		this.#wanted.clear();
		for (const number of [...this.#known.keys()]) this.#release(number);
	}

	/** See `Core.remove`. */
	#remove(removed: readonly number[], executions: number): boolean {
		const numbers = new Set(removed.flatMap((head) => [...(this.#within.get(head) ?? [])]));
		for (const number of numbers) {
			const {heads} = this.#known.get(number) as Known;
			this.#count(number, heads, executions);
			// Else each of them would begin the same translation soon.
			for (const head of heads)
				if ((this.#core.leftOf(head) ?? whileWanted) < executions) this.#core.count(head, executions);
			this.#release(number);
		}
		return numbers.size > 0;
	}

	#addWithin(head: number, number: number): void {
		const numbers = this.#within.get(head);
		if (numbers === undefined) this.#within.set(head, new Set([number]));
		else numbers.add(number);
	}

	#release(number: number): void {
		const known = this.#known.get(number);
		if (known === undefined) return;
		this.#known.delete(number);
		for (const head of known.heads) {
			const numbers = this.#within.get(head);
			numbers?.delete(number);
			if (numbers?.size === 0) this.#within.delete(head);
		}
		this.#free.push(number);
		this.#core.translations.set(number, null);
		if (--known.batch.inUse === 0) this.#bytes -= known.batch.bytes;
	}
}

/** The head of a block that has one. */
const headOf = (first: number): number => first - MicroOp.size;
