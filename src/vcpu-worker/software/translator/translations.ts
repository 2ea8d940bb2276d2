import {announcedKey, type CodeSize} from '#vcpu-worker/software/decode';
import {type Core, isImage, type Translation} from '#vcpu-worker/software/interpreter';
import {MicroOp} from '#vcpu-worker/software/state';
import {
	Allowance,
	type Answer,
	Begins,
	type MadeRegion,
	storeLimits,
	type TranslationSource,
} from '#vcpu-worker/software/translation-store';

/** Decoded code of a page. */
export interface KnownCode {
	/** The bytes that it has been decoded from. */
	readonly bytes: Uint8Array;
	/** How often a block is executed before it is translated; undefined: it is not. */
	executions(offset: number): number | undefined;
	/** Blocks that have been executed: where in the page they begin, and their first records. */
	blocks(): Iterable<readonly [offset: number, first: number]>;
	/** The first record of a block; undefined where it has not been executed. */
	first(offset: number): number | undefined;
	/** The same of one that is decoded where it has not been; undefined where the page is no RAM any more. */
	decoded(offset: number): number | undefined;
}

/** Finds the code of a physical page; undefined where none is known. */
export type CodeOf = (page: number, codeSize: CodeSize) => KnownCode | undefined;

/** A block that has become hot. */
export interface HotBlock {
	readonly head: number;
	/** Physical address of its page, and where it begins there. */
	readonly page: number;
	readonly offset: number;
	readonly codeSize: CodeSize;
}

/** A module of which some functions are in use. */
interface Module {
	readonly functions: Readonly<Record<string, Translation>>;
	readonly bytes: number;
	readonly numbers: Set<number>;
}

/** A translation. */
interface Known {
	/** Heads of its blocks. */
	readonly heads: readonly number[];
	/** Number of its module. */
	readonly module: number;
}

/** A block at which a region begins too has been executed this part of what a hot one has: a shift. */
const warmShift = 4;
/** Requests that the processors of a machine send at once, and in a second: each costs the thread that hears them some 50 microseconds. */
const burst = 4096;
const perSecond = 1000;
/** Answers that are taken at once. */
const mostTaken = 64;
/** Executions until one that is refused asks again, at least. */
const refusedExecutions = 10_000;
/** Executions of a block that waits: more than it can have. */
const whileWanted = 2 ** 31 - 1;

/** The translations that one processor uses: it asks for those of what is hot, and takes them where its code is the one that they are made of. */
export class Translations {
	/** How often a block is executed before it is translated, where nobody knows better. */
	heat = 1;
	/** What it may ask for. */
	allowance: Allowance;
	readonly #core: Core;
	readonly #codeOf: CodeOf;
	readonly #source: TranslationSource;
	/** By their numbers, which are those of functions. */
	readonly #known = new Map<number, Known>();
	/** Numbers of the translations that a block is part of, by its head. */
	readonly #within = new Map<number, Set<number>>();
	readonly #free: number[] = [];
	#next = 1;
	/** By their numbers in the store. */
	readonly #modules = new Map<number, Module>();
	/** What has been asked for, by the id of the request, and the pages of that. */
	readonly #asked = new Map<number, HotBlock & {readonly rest: number}>();
	readonly #pages = new Set<string>();
	#lastId = 0;
	/** Of all of {@link #modules}. */
	#bytes = 0;
	/** Translations that it has taken. */
	#taken = 0;

	/** @param processors - of the machine, which share what it may ask for */
	constructor(core: Core, codeOf: CodeOf, source: TranslationSource, processors: number) {
		this.allowance = new Allowance(burst / processors, perSecond / processors);
		this.#core = core;
		this.#codeOf = codeOf;
		this.#source = source;
		core.state.translations.maxBytes = storeLimits.machineBytes;
		core.removed = (heads, executions) => this.#remove(heads, executions);
		core.forgotten = () => this.#clear();
	}

	/** Translations there are, and bytes of WebAssembly of the modules that they are of. */
	get size(): {readonly translations: number; readonly bytes: number} {
		return {translations: this.#known.size, bytes: this.#bytes};
	}

	/** Has people see how it is. */
	#tell(): void {
		const [made, present, waiting, bytes] = [this.#taken, this.#known.size, this.#asked.size, this.#bytes];
		Object.assign(this.#core.state.translations, {made, dropped: made - present, present, waiting, bytes});
	}

	/** A block has become hot, or been executed so often that it may be hot elsewhere. */
	want(block: HotBlock): void {
		const {head, offset, codeSize} = block;
		const core = this.#core;
		const code = this.#codeOf(block.page, codeSize);
		const executions = code?.executions(offset);
		if (code === undefined || executions === undefined) {
			core.count(head, this.heat);
			return;
		}
		const rest = core.restOf(head);
		const isEarly = rest > 0;
		if (isEarly && !this.#source.mayHave(Begins.keyOf(code.bytes, offset, codeSize))) {
			core.count(head, rest);
			return;
		}
		const left = Math.max(this.heat >> warmShift, 1);
		// What is being made may have this block in it: if it has not, the block is hot again soon.
		if (this.#pages.has(pageOf(block))) {
			core.count(head, isEarly ? rest : left);
			return;
		}
		if (!this.allowance.spend()) {
			core.count(head, Math.max(rest, executions, refusedExecutions));
			return;
		}
		const known: number[] = [];
		const warm: number[] = [];
		for (const [at, first] of code.blocks()) {
			known.push(at);
			if ((core.leftOf(headOf(first)) ?? this.heat) <= this.heat - left) warm.push(at);
		}
		const id = ++this.#lastId;
		this.#asked.set(id, {...block, rest});
		this.#tell();
		this.#pages.add(pageOf(block));
		core.count(head, whileWanted);
		const page = code.bytes.slice();
		const features = announcedKey(core.announced);
		const blocks = {known: Uint16Array.from(known), warm: Uint16Array.from(warm)};
		const request = {id, offset, page, codeSize, features, ...blocks, mayMake: !isEarly};
		for (const answer of this.#source.ask(request)) this.#hear(answer);
	}

	/**
	 * Takes what there are answers for. While no code is executed, and nobody goes on at a record: all may be forgotten.
	 * @returns false where there may be more: others may want something of the processor meanwhile
	 */
	take(): boolean {
		for (let count = 0; count < mostTaken; count++) {
			const answer = this.#source.take();
			if (answer === undefined) return true;
			this.#hear(answer);
		}
		return false;
	}

	#hear(answer: Answer): void {
		if (answer.kind === 'dropped') this.#drop(answer.number);
		else this.#answered(answer);
		this.#tell();
	}

	#answered(answer: Exclude<Answer, {readonly kind: 'dropped'}>): void {
		const core = this.#core;
		const asked = this.#asked.get(answer.id);
		if (asked === undefined) return;
		this.#asked.delete(answer.id);
		this.#pages.delete(pageOf(asked));
		// The page may have been rewritten meanwhile, and the block be another one, or none.
		const code = this.#codeOf(asked.page, asked.codeSize);
		const first = code?.first(asked.offset);
		const executions = code?.executions(asked.offset);
		if (code === undefined || executions === undefined || first === undefined) return;
		const head = headOf(first);
		if (core.leftOf(head) === undefined) return;
		const {rest} = asked;
		if (answer.kind === 'refused') core.count(head, rest || Math.max(executions, refusedExecutions));
		else if (!this.#install(answer, code)) core.count(head, rest || executions);
	}

	/** @returns false where the region is not what this processor has decoded */
	#install(answer: Answer & {readonly kind: 'made'}, code: KnownCode): boolean {
		const core = this.#core;
		const {region, module: compiled, bytes} = answer;
		const epoch = core.codeEpoch;
		const firsts = this.#firstsOf(region, code);
		// To decode one block may have others forgotten.
		if (firsts === undefined || core.codeEpoch !== epoch) return core.codeEpoch !== epoch;
		const number = this.#number();
		let module = this.#modules.get(answer.number);
		if (module === undefined) {
			module = {functions: core.instantiate(compiled), bytes, numbers: new Set()};
			this.#modules.set(answer.number, module);
			this.#bytes += bytes;
		}
		core.place(number, module.functions[`${answer.index}`] as Translation, firsts);
		const heads = firsts.map(headOf);
		for (const entry of region.entries) {
			const head = heads[entry] as number;
			if (core.leftOf(head) !== undefined) core.enter(head, number, entry);
		}
		for (const head of heads) this.#addWithin(head, number);
		module.numbers.add(number);
		this.#known.set(number, {heads, module: answer.number});
		this.#taken++;
		return true;
	}

	/** First records of a region's blocks, if all are what it was made of. */
	#firstsOf({starts, counts, image}: MadeRegion, code: KnownCode): readonly number[] | undefined {
		const words = MicroOp.size / 4;
		const firsts: number[] = [];
		let at = 0;
		for (const [index, start] of starts.entries()) {
			const first = code.decoded(start);
			const end = at + (counts[index] as number) * words;
			if (first === undefined || !isImage(this.#core.words, first, image.subarray(at, end))) return undefined;
			firsts.push(first);
			at = end;
		}
		return firsts;
	}

	/** A number that no translation has. All others go where there is none. */
	#number(): number {
		if (this.#free.length === 0 && this.#next >= this.#core.translations.length)
			for (const number of [...this.#modules.keys()]) this.#drop(number);
		return this.#free.pop() ?? this.#next++;
	}

	/** Has the blocks of a module's translations count again. */
	#drop(number: number): void {
		for (const translation of [...(this.#modules.get(number)?.numbers ?? [])]) {
			this.#count(translation, this.heat);
			this.#release(translation);
		}
	}

	/** Has the blocks at which a translation begins count again. */
	#count(number: number, executions: number): void {
		for (const head of this.#known.get(number)?.heads ?? [])
			if (this.#core.translationOf(head) === number) this.#core.count(head, executions);
	}

	/** See `Core.remove`. */
	#remove(removed: readonly number[], executions: number): boolean {
		const numbers = new Set(removed.flatMap((head) => [...(this.#within.get(head) ?? [])]));
		for (const number of numbers) {
			this.#count(number, executions);
			// Else each of them would begin the same translation soon.
			for (const head of this.#known.get(number)?.heads ?? [])
				if ((this.#core.leftOf(head) ?? whileWanted) < executions) this.#core.count(head, executions);
			this.#release(number);
		}
		if (numbers.size > 0) this.#tell();
		return numbers.size > 0;
	}

	#addWithin(head: number, number: number): void {
		const numbers = this.#within.get(head);
		if (numbers === undefined) this.#within.set(head, new Set([number]));
		else numbers.add(number);
	}

	#clear(): void {
		this.#asked.clear();
		this.#pages.clear();
		for (const number of [...this.#known.keys()]) this.#release(number);
		this.#tell();
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
		const module = this.#modules.get(known.module);
		module?.numbers.delete(number);
		if (module?.numbers.size !== 0) return;
		this.#modules.delete(known.module);
		this.#bytes -= module.bytes;
	}
}

const pageOf = ({page, codeSize}: HotBlock): string => `${page} ${codeSize}`;

/** The head of a block that has one. */
const headOf = (first: number): number => first - MicroOp.size;
