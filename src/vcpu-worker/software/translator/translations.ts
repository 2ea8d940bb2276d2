import {announcedKey, type CodeSize} from '#vcpu-worker/software/decode';
import {type Core, isImage, type Translation} from '#vcpu-worker/software/interpreter';
import {entryOf, MicroOp, translationAt, userCode} from '#vcpu-worker/software/state';
import {
	Allowance,
	type Answer,
	Begins,
	type CodePage,
	type MadeRegion,
	pageOf,
	storeLimits,
	type TranslationSource,
} from '#vcpu-worker/software/translation-store';
import {collect} from './collect.ts';
import {type Crossing, Crossings, maxLinks} from './crossings.ts';
import {isReturnKind} from './region.ts';

/** Decoded code of a page. */
export interface KnownCode {
	/** The bytes that it has been decoded from. */
	readonly bytes: Uint8Array;
	/** How often a block is executed before it is translated; undefined: it is not. */
	executions(offset: number): number | undefined;
	/** The first record of a block that has been executed; undefined where it has not. */
	first(offset: number): number | undefined;
	/** The same of one that is decoded where it has not been; undefined where the page is no RAM any more. */
	decoded(offset: number): number | undefined;
}

/** Finds the code of a physical page; undefined where none is known. */
export type CodeOf = (page: number, codeSize: CodeSize) => KnownCode | undefined;

/** Where a block begins: its physical page, and where there. */
interface Begin {
	readonly page: number;
	readonly offset: number;
	readonly codeSize: CodeSize;
}

/** A block that has become hot. */
export interface HotBlock extends Begin {
	readonly head: number;
	/** Linear address of its page. */
	readonly linear: bigint;
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
	/** The block that it was asked for. */
	readonly begin: Begin;
	/** Linear address of that one's page. */
	readonly linear: bigint;
	/** See `TranslationRequest.links`. */
	readonly links: readonly number[];
	/** How code leaves it; undefined where it is not to have more links. */
	crossings: Crossings | undefined;
	/** How often it has been made with more links. */
	readonly joins: number;
}

/** What has been asked for. */
interface Asked extends HotBlock {
	/** Executions until it was hot. */
	readonly rest: number;
	readonly isProgram: boolean;
	/** Physical addresses of the pages that the request has, by how far they are from the block's. */
	readonly frames: ReadonlyMap<number, number>;
	/** The translation that is to be replaced by one that has more links. */
	readonly replaced?: number;
}

/** A block at which a region begins too has been executed this part of what a hot one has: a shift. */
const warmShift = 4;
/** The same of a block in another one's region. */
const rareShift = 6;
/** Requests that the processors of a machine send at once, and in a second: each costs the thread that hears them 20 microseconds, with 16 pages 120. */
const burst = 4096;
const perSecond = 1000;
/** Requests that the processors of a machine have on their way at once, of up to 64 KiB each, and of each at least: the store has fewer wait. */
const mostAsked = 512;
const leastAsked = 16;
/** Answers that are taken at once. */
const mostTaken = 64;
/** Executions until one that is refused asks again, at least. */
const refusedExecutions = 10_000;
/** Executions of a block that waits: more than it can have. */
const whileWanted = 2 ** 31 - 1;
/** Of the executions until a block is hot: the part after which it is translated where that keeps nobody from work. A shift. */
const earlyShift = 2;
/** The same until it asks again: a program's block, and one of the kernel's, of which a boot has many more. */
const againShift = {program: 3, kernel: 2} as const;
/** Instructions in which a small system comes up when its first program has begun: what the kernel does then is not worth more than before. */
const bootsWithin = 2n ** 25n;
/** More than any block that is not hot has to be executed. */
const maxExecutions = 2 ** 30;
/** Accesses across pages that go by one look, in a run of code: from so many on the interpreter takes too much time. */
const mostStraddles = 16;
/** Blocks whose translations have no looks in common, at most. */
const maxAlone = 4096;
/** Samples of how code leaves a translation, after which it is made anew with where that goes: a part of the executions of a hot block, a shift. */
const joinShift = 7;
/** How often a translation is made anew so. */
const maxJoins = 3;
/** Stands for the first record of a block of a region that this processor does not have. */
const notThere = 0;

/** The translations that one processor uses: it asks for those of what is hot, and takes them where its code is the one that they are made of. */
export class Translations {
	/** How often a block is executed before it is translated, where nobody knows better. */
	heat = 1;
	/** What it may ask for. */
	allowance: Allowance;
	/** Requests that it may have on their way. */
	readonly #mostAsked: number;
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
	/** By the id of the request. */
	readonly #asked = new Map<number, Asked>();
	#lastId = 0;
	/** Blocks whose translations were across pages too often, by {@link keyOf}. */
	readonly #alone = new Set<string>();
	/** Times that code has stopped since it may do something else. */
	#stops = 0;
	/** Of all of {@link #modules}. */
	#bytes = 0;
	/** Translations that it has taken. */
	#taken = 0;
	/** When a program's block was worth a translation for the first time, in instructions. */
	#programsSince: bigint | undefined;

	/** @param processors - of the machine, which share what it may ask for */
	constructor(core: Core, codeOf: CodeOf, source: TranslationSource, processors: number) {
		this.allowance = new Allowance(burst / processors, perSecond / processors);
		this.#mostAsked = Math.max(mostAsked / processors, leastAsked);
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
		const executed = executions - rest;
		const isProgram = (core.state.modeKey & userCode) !== 0;
		const isRepeated = isProgram || this.#servesPrograms;
		const isWorth = rest === 0 || (isRepeated && executed >= executions >> earlyShift && this.#source.hasTime());
		if (isProgram && isWorth) this.#programsSince ??= core.state.instructions;
		if (!isWorth && !this.#source.mayHave(Begins.keyOf(code.bytes, offset, codeSize))) {
			this.#countOn({head, rest, isProgram}, executions);
			return;
		}
		const left = Math.max(this.heat >> warmShift, 1);
		// What is being made may have this block in it: if it has not, the block is hot again soon.
		if (this.#isAsked(block)) {
			if (rest > 0) this.#countOn({head, rest, isProgram}, executions);
			else core.count(head, left);
			return;
		}
		if (this.#asked.size >= this.#mostAsked || !this.allowance.spend()) {
			core.count(head, Math.max(rest, executions, refusedExecutions));
			return;
		}
		const id = ++this.#lastId;
		const {pages, frames} = this.#around(
			block,
			code,
			isWorth ? Math.min(executed, this.heat) : this.heat,
			[],
			new Set(),
		);
		this.#asked.set(id, {...block, rest, isProgram, frames});
		this.#tell();
		core.count(head, whileWanted);
		const features = announcedKey(core.announced);
		const looksAlone = this.#alone.has(keyOf(block));
		const request = {id, offset, pages, codeSize, features, mayMake: isWorth, looksAlone};
		for (const answer of this.#source.ask(request)) this.#hear(answer);
	}

	/** What the kernel does it does for programs by now, again and again, and not once as in its boot. */
	get #servesPrograms(): boolean {
		return this.#programsSince !== undefined && this.#core.state.instructions - this.#programsSince > bootsWithin;
	}

	/**
	 * Has a block that is not hot counted until it may ask again: it is translated before it is hot where there is time for that.
	 * @param executions - how many it takes in all until it is hot
	 */
	#countOn({head, rest, isProgram}: Pick<Asked, 'head' | 'rest' | 'isProgram'>, executions: number): void {
		const early = (executions >> earlyShift) - (executions - rest);
		const shift = isProgram ? againShift.program : againShift.kernel;
		const now = Math.min(early > 0 ? early : Math.max(executions >> shift, 1), rest);
		this.#core.count(head, now, rest - now);
	}

	/** Something of the block's page is being made. */
	#isAsked({page, codeSize}: HotBlock): boolean {
		for (const asked of this.#asked.values())
			if (asked.codeSize === codeSize) for (const frame of asked.frames.values()) if (frame === page) return true;
		return false;
	}

	/**
	 * Finds the code that a region of a hot block may have.
	 * @param executed - how often the block has been executed, beside which others are
	 * @param begins - distances of other blocks that it is to have
	 * @param joined - translations whose blocks are as hot
	 */
	#around(
		{linear, page, offset, codeSize}: Omit<HotBlock, 'head'>,
		own: KnownCode,
		executed: number,
		begins: readonly number[],
		joined: ReadonlySet<number | undefined>,
	) {
		const core = this.#core;
		const {heat} = this;
		const frames = new Map([[0, page]]);
		const codes = new Map<number, KnownCode | undefined>([[0, own]]);
		const codeAt = (distance: number) => {
			if (!codes.has(distance)) {
				const frame = core.frameOf(linear + BigInt(distance));
				// A record is of one place.
				const isNew = frame !== undefined && ![...frames.values()].includes(frame);
				const code = isNew ? this.#codeOf(frame, codeSize) : undefined;
				codes.set(distance, code);
				if (isNew && code !== undefined) frames.set(distance, frame);
			}
			return codes.get(distance);
		};
		const isJoined = (first: number) => joined.has(core.translationOf(headOf(first)));
		const found = collect(
			{
				words: core.words,
				firstAt: (place) => codeAt(pageOf(place))?.first(place - pageOf(place)),
				rankOf: (first, place) => {
					const executions = core.leftOf(headOf(first));
					if (isJoined(first)) return 0;
					if (executions === undefined) return pageOf(place) === 0 ? 0 : undefined;
					if (executions > maxExecutions) return 0;
					return executions > heat - (executed >> rareShift) ? undefined : executions;
				},
			},
			[offset, ...begins],
		);
		const pages = [...new Set([...found.keys()].map(pageOf))].map((distance): CodePage => {
			const places = [...found].filter(([place]) => pageOf(place) === distance);
			const least = Math.max(executed >> warmShift, 1);
			const isWarm = (first: number) => isJoined(first) || (core.leftOf(headOf(first)) ?? heat) <= heat - least;
			const offsets = (list: typeof places) => Uint16Array.from(list, ([place]) => place - distance);
			const bytes = (codes.get(distance) as KnownCode).bytes.slice();
			return {distance, bytes, known: offsets(places), warm: offsets(places.filter(([, first]) => isWarm(first)))};
		});
		return {
			pages: pages as [CodePage, ...CodePage[]],
			frames: new Map([...frames].filter(([distance]) => pages.some((each) => each.distance === distance))),
		};
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
		// The page may have been rewritten meanwhile, and the block be another one, or none.
		const code = this.#codeOf(asked.page, asked.codeSize);
		const first = code?.first(asked.offset);
		const executions = code?.executions(asked.offset);
		if (code === undefined || executions === undefined || first === undefined) return;
		const head = headOf(first);
		const {replaced} = asked;
		if (replaced === undefined ? core.leftOf(head) === undefined : core.translationOf(head) !== replaced) return;
		const {rest} = asked;
		if (answer.kind === 'made' && this.#install(answer, asked, code)) return;
		if (replaced !== undefined) return;
		if (rest > 0) this.#countOn({...asked, head}, executions);
		else core.count(head, answer.kind === 'made' ? executions : Math.max(executions, refusedExecutions));
	}

	/** @returns false where the region is not what this processor has decoded */
	#install(answer: Answer & {readonly kind: 'made'}, asked: Asked, code: KnownCode): boolean {
		const core = this.#core;
		const {region, module: compiled, bytes} = answer;
		const epoch = core.codeEpoch;
		const firsts = this.#firstsOf(region, answer.begin, asked, code);
		// To decode one block may have others forgotten.
		if (firsts === undefined || core.codeEpoch !== epoch) return core.codeEpoch !== epoch;
		const {replaced} = asked;
		const number = this.#number();
		let module = this.#modules.get(answer.number);
		if (module === undefined) {
			module = {functions: core.instantiate(compiled), bytes, numbers: new Set()};
			this.#modules.set(answer.number, module);
			this.#bytes += bytes;
		}
		core.place(number, module.functions[`${answer.index}`] as Translation, firsts);
		const distances = region.pages.map(({distance}) => distance);
		for (const entry of region.entries) {
			const first = firsts[entry] as number;
			if (first === notThere) continue;
			const head = headOf(first);
			const isFree = core.leftOf(head) !== undefined;
			if (!isFree && (replaced === undefined || core.translationOf(head) !== replaced)) continue;
			core.enter(head, number, entryOf(entry, distances.indexOf(pageOf(region.places[entry] as number))));
		}
		const heads = firsts.filter((first) => first !== notThere).map(headOf);
		for (const head of heads) this.#addWithin(head, number);
		module.numbers.add(number);
		const {page, offset, codeSize, linear} = asked;
		const joins = replaced === undefined ? 0 : (this.#known.get(replaced)?.joins ?? 0) + 1;
		// Whoever had it made may have given it some already.
		const links = region.links.map((place) => place - pageOf(answer.begin));
		const mayJoin = joins < maxJoins && links.length < maxJoins * maxLinks * 2;
		this.#known.set(number, {
			...{heads, module: answer.number, begin: {page, offset, codeSize}, linear, links, joins},
			crossings: mayJoin ? new Crossings() : undefined,
		});
		this.#taken++;
		if (
			replaced !== undefined &&
			!this.#known.get(replaced)?.heads.some((head) => core.translationOf(head) === replaced)
		)
			this.#release(replaced);
		return true;
	}

	/**
	 * First records of a region's blocks; {@link notThere} for those of pages that are not what it was made of, or not known, which it does not come to.
	 * @returns undefined where the asked block's page is not what it was made of
	 */
	#firstsOf(region: MadeRegion, begin: number, asked: Asked, own: KnownCode): readonly number[] | undefined {
		const core = this.#core;
		const firsts: number[] = region.places.map(() => notThere);
		const frames = new Set([asked.page]);
		const isHere = core.frameOf(asked.linear) === asked.page;
		for (const {distance} of region.pages) {
			const between = distance - pageOf(begin);
			const known = asked.frames.get(between) ?? (isHere ? core.frameOf(asked.linear + BigInt(between)) : undefined);
			if (between !== 0 && (known === undefined || frames.has(known))) continue;
			if (known !== undefined) frames.add(known);
			const code = between === 0 ? own : this.#codeOf(known as number, asked.codeSize);
			const isThere = code !== undefined && this.#findBlocks(region, distance, code, firsts);
			if (between === 0 && !isThere) return undefined;
		}
		return firsts;
	}

	/** Finds the first records of the blocks in a page of a region, if all are what it was made of. */
	#findBlocks({places, counts, image}: MadeRegion, distance: number, code: KnownCode, firsts: number[]): boolean {
		const words = MicroOp.size / 4;
		const own = new Map<number, number>();
		let at = 0;
		for (const [index, place] of places.entries()) {
			const end = at + (counts[index] as number) * words;
			if (pageOf(place) === distance) {
				const first = code.decoded(place - distance);
				if (first === undefined || !isImage(this.#core.words, first, image.subarray(at, end))) return false;
				own.set(index, first);
			}
			at = end;
		}
		for (const [index, first] of own) firsts[index] = first;
		return true;
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

	/**
	 * Has a translation made anew whose accesses with one look were across pages often in the code that has run just now: its accesses look for
	 * themselves then. While no code is executed.
	 */
	attend(): void {
		const {state} = this.#core;
		if (state.straddles === 0) return;
		const isOften = state.straddles >= mostStraddles;
		state.straddles = 0;
		const number = translationAt(state.straddler);
		const known = this.#known.get(number);
		if (!isOften || known === undefined) return;
		if (this.#alone.size >= maxAlone) this.#alone.clear();
		this.#alone.add(keyOf(known.begin));
		this.#count(number, Math.max(this.heat >> warmShift, 1));
		this.#release(number);
		this.#tell();
	}

	/**
	 * Notes on which way code was about to leave a translation when it stopped, which comes about now and then. A translation that is often left for others
	 * is made anew with these in it. While no code is executed, and nobody goes on at a record.
	 */
	attendCrossing(): void {
		const core = this.#core;
		const {state} = core;
		this.#stops++;
		if (state.crossing === 0) return;
		const number = translationAt(state.crossing);
		state.crossing = 0;
		const known = this.#known.get(number);
		const {record} = state;
		if (known?.crossings === undefined || isReturnKind(core.kindOf(record))) return;
		const block = core.longBlock();
		const other = block === 0 ? undefined : core.translationOf(block);
		if (other === undefined || other === number) return;
		const crossing = () => {
			const from = Number(state.codePage - known.linear) + core.startOf(record);
			return {from, to: Number(state.rip - known.linear), head: block};
		};
		const ways = known.crossings.note(record, block, crossing, this.#stops, Math.max(this.heat >> joinShift, 1));
		if (ways.length > 0) this.#join(number, known, ways);
	}

	/** Asks for a translation with those in it for which it is often left. */
	#join(number: number, known: Known, ways: readonly Crossing[]): void {
		const core = this.#core;
		const {begin, linear} = known;
		const code = this.#codeOf(begin.page, begin.codeSize);
		if (code === undefined || core.frameOf(linear) !== begin.page) return;
		if (this.#asked.size >= this.#mostAsked || !this.allowance.spend()) return;
		const links = [...known.links, ...ways.flatMap(({from, to}) => [from, to])];
		const begins = links.filter((_, index) => index % 2 === 1);
		// Some may have gone meanwhile.
		const joined = new Set([number, ...ways.flatMap(({head}) => core.translationOf(head) ?? [])]);
		const {pages, frames} = this.#around({...begin, linear}, code, this.heat, begins, joined);
		const id = ++this.#lastId;
		const isProgram = (core.state.modeKey & userCode) !== 0;
		const [{offset, codeSize}, features] = [begin, announcedKey(core.announced)];
		this.#asked.set(id, {...begin, linear, head: 0, rest: 0, isProgram, frames, replaced: number});
		const looksAlone = this.#alone.has(keyOf(begin));
		known.crossings = undefined;
		const request = {id, offset, pages, codeSize, features, mayMake: true, looksAlone, links};
		for (const answer of this.#source.ask(request)) this.#hear(answer);
	}

	#addWithin(head: number, number: number): void {
		const numbers = this.#within.get(head);
		if (numbers === undefined) this.#within.set(head, new Set([number]));
		else numbers.add(number);
	}

	#clear(): void {
		this.#asked.clear();
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

const keyOf = ({page, offset, codeSize}: Begin): string => `${page} ${offset} ${codeSize}`;

/** The head of a block that has one. */
const headOf = (first: number): number => first - MicroOp.size;
