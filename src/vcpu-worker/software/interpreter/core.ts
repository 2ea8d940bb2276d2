import type {SharedMemory} from '#support/shared-memory';
import {
	type Announced,
	BlockDecoder,
	type BlockOptions,
	type CodeSize,
	type DecodedBlock,
	goesStraight,
	type Instruction,
	maxBlockRecords,
	RecordWord,
} from '#vcpu-worker/software/decode';
import {FloatUnit} from '#vcpu-worker/software/float';
import {hostFuses} from '#vcpu-worker/software/fuse-check';
import {enterKind, heatKind, kindNumber, kinds, systemKind} from '#vcpu-worker/software/semantics';
import type {PrefixTable} from '#vcpu-worker/software/shared';
import {
	AccessClass,
	addressSpaces,
	CpuState,
	displacedJumps,
	immediateAt,
	jumpEntries,
	jumpEntry,
	leastNormalAt,
	longCode,
	MicroOp,
	maxTranslations,
	memoryMap,
	Stop,
	spaceShift,
	supervisorTlb,
	tableAt,
	tlbBytes,
	tlbOf,
	userCode,
} from '#vcpu-worker/software/state';
import {X87} from '#vcpu-worker/software/x87';
import {instantiate, loadInterpreter, TranslationTable} from './load-interpreter.ts';

/**
 * Does an access that the TLB does not serve; see `Imports`.
 * @param width - in bits
 * @param kind - an `AccessKind`
 * @returns 0, or the `Stop`
 */
export type SlowAccess = (low: number, high: number, width: number, kind: number, record: number) => number;

/**
 * Makes the entry of the TLB that a walk in generated code leads to, for the present mode: the linear address, and what the walk has given (see
 * `Walked`), in halves.
 * @returns 0 where it makes none
 */
export type FillEntry = (low: number, high: number, walkedLow: number, walkedHigh: number) => number;

/**
 * Carries out an instruction of the system amid its block, or at its end. `left`: it has done nothing, and is left to whoever drives the
 * processor. `faulted`: it has changed nothing, and the state has its exception. `ended`: its block ends behind it.
 */
export type WithinBlock = () => 'left' | 'faulted' | 'done' | 'ended';

/** See `Imports.translations`. */
export type Translation = (table: number, entry: number) => number;

/** Mode of an entry of the cache of blocks that has none. */
const noMode = 0;
/** A mode that no entry has. */
const foreignMode = 0xffff_ffff;
/** Bytes of them for one instruction that is no part of a block, of which VZEROALL has most, and for how many there is room. */
const aloneBytes = 64 * MicroOp.size;
const aloneSlots = 1024;
/** Number of one that is no block's. */
const loneTranslation = 0;
/** Most instructions for TypeScript that are kept, which are objects of some 300 bytes: many times what a kernel has. */
const maxInstructions = 65_536;
/** Kinds that keep where in the page they go. */
const linkedKinds = new Set(kinds.flatMap(({isJump}, number) => (isJump ? [number] : [])));
/** Number of RCX. */
const counter = 1;
/** Places of a record's fields: to find one by its name takes as long as to carry out an instruction. */
const kindAt = MicroOp.offset('kind');
const ordinalAt = MicroOp.offset('ordinal');
const linkAt = MicroOp.offset('c');
const startAt = MicroOp.offset('start');
const nextAt = MicroOp.offset('next');
const segmentAt = MicroOp.offset('segment');
/** Words of the state. */
const Place = {
	rip: CpuState.offset('rip') / 4,
	codePage: CpuState.offset('codePage') / 4,
	codePageOffset: CpuState.offset('codePageOffset') / 4,
} as const;
const ordinalShift = (ordinalAt - kindAt) * 8;
const nextShift = (nextAt - startAt) * 8;
const gone = kindNumber('gone.64');
const forward = kindNumber('forward.64');
const next = kindNumber('next.64');
const sti = kindNumber('sti.64');
const codeChanged = CpuState.offset('codeChanged') / 4;
const controlFlags = CpuState.offset('controlFlags') / 4;
/** IF in RFLAGS. */
const interruptFlag = 0x200;

/** From an entry to the one for what it had before, in words. */
const displaced = displacedJumps / 4;
/** The entry of a linear address in the cache of blocks, in words. */
const entryAt = (low: number, high: number, modeKey: number): number =>
	(memoryMap.jumps + ((low ^ ((low >>> 12) | (high << 20)) ^ modeKey) & (jumpEntries - 1)) * jumpEntry.size) / 4;
/** A linear page's number. */
const pageNumber = (low: number, high: number): number => (high >>> 0) * 2 ** 20 + (low >>> 12);

/** Where code is: the physical address of its page, whose translation outlasts loads of CR3 or does not. */
export interface CodePage {
	readonly page: number;
	readonly isGlobal: boolean;
}

/** What the cache of blocks has of code at privilege 3 in an address space, or of all other code. */
class KnownPages {
	/** Physical pages of the linear ones. */
	readonly frames = new Map<number, number>();
	/** Entries, and linear pages, that a load of CR3 forgets: at privilege 3 all of them. */
	readonly entries: number[] = [];
	readonly pages = new Set<number>();
	/** Changes when those are forgotten. */
	epoch = 0;

	clear(): void {
		this.frames.clear();
		this.entries.length = 0;
		this.pages.clear();
		this.epoch++;
	}
}

/** The interpreter of one processor, with the memory that it has for itself. */
export class Core {
	readonly memory: SharedArrayBuffer;
	readonly state: ReturnType<typeof CpuState.on>;
	readonly x87: X87;
	/** The bytes of `transfer`. */
	readonly transfer: Uint8Array;
	/** Functions that heads of blocks name by number. */
	readonly translations = new TranslationTable(maxTranslations);
	/** Finds the records of the instruction of a record that ends in the next page, where they are known and it is what it was; 0 for all others. */
	across: (record: number) => number = () => 0;
	/** Is told of blocks that are no more; see {@link remove}. */
	removed: (records: readonly number[], executions: number) => boolean = () => false;
	/** Gives what stands for a translation while somebody wants to be asked before it is entered. @param firsts - see {@link place} */
	guard: (number: number, translation: Translation, firsts: readonly number[]) => Translation = (_, translation) =>
		translation;
	/** Instructions of the system are carried out amid their block, where they can be. */
	carriesOut = true;
	/** The same while an interrupt waits until the guest lets it in, which they do not do, and nothing else speaks against it. */
	awaitsFlag = false;
	/** The record whose instruction TypeScript carries out, which may write the code behind it; 0 where it carries out none. */
	carriedOut = 0;
	/** Is told that nothing leads to any. */
	forgotten: () => void = () => {};
	readonly #run: (record: number) => number;
	readonly #runOn: (record: number) => number;
	/** What generated code imports. */
	readonly #env: object;
	readonly #bytes: DataView;
	readonly #quads: BigInt64Array;
	readonly #tlb: BigInt64Array;
	readonly #jumps: BigInt64Array;
	/** What the cache of blocks knows: of code at privilege 3 in each address space, and of all other code. */
	readonly #known = Array.from({length: addressSpaces + 1}, () => new KnownPages());
	/** Which features instructions may need: all, if nobody says otherwise before the first is decoded. */
	announced: Announced = () => true;
	/** Nobody has come to know a page or a block, and their memory is untouched: its pages' first touch takes longer than most of a processor. */
	#isFresh = true;
	/** Made when the first is decoded. */
	#decoder: BlockDecoder | undefined;
	readonly #forms: readonly PrefixTable[];
	readonly #own: SharedMemory;
	#globalEpoch = 0;
	/** Changes when records become others. */
	codeEpoch = 0;
	#nextRecord: number = memoryMap.records;
	/** Instructions of the records that leave them to TypeScript. */
	readonly #instructions = new Map<number, Instruction>();
	/** What carries them out amid their block, where something can. */
	readonly #quick = new Map<number, WithinBlock>();
	readonly #within: (instruction: Instruction) => WithinBlock | undefined;
	/** This memory, in words. */
	readonly words: Int32Array;
	/** Words of the state that what follows from privilege, and how pages are found, were computed from; see `applyPrivilege` and `applyMode`. */
	readonly privilegeInputs: Int32Array = new Int32Array(8);
	readonly pagingInputs: Int32Array = new Int32Array(5).fill(-1);

	/**
	 * @param memory - one of `SharedParts.memories`
	 * @param ram - the guest's memory, a `WebAssembly.Memory`
	 * @param within - what carries out an instruction of the system amid its block; undefined where only its handler can
	 * @param forms - see `BlockDecoder`
	 */
	constructor(
		memory: SharedMemory,
		ram: object,
		{access, fill}: {readonly access: SlowAccess; readonly fill: FillEntry},
		within: (instruction: Instruction) => WithinBlock | undefined,
		forms: readonly PrefixTable[] = [],
	) {
		this.#forms = forms;
		this.#own = memory;
		this.memory = memory.buffer;
		this.state = CpuState.on(memory.buffer, memoryMap.state);
		this.transfer = new Uint8Array(memory.buffer, CpuState.offset('transfer'), 16);
		this.#bytes = new DataView(memory.buffer);
		this.#quads = new BigInt64Array(memory.buffer);
		this.words = new Int32Array(memory.buffer);
		this.#tlb = new BigInt64Array(
			memory.buffer,
			memoryMap.tlb,
			(tlbOf(AccessClass.user, addressSpaces) - memoryMap.tlb) / 8,
		);
		this.#jumps = new BigInt64Array(memory.buffer, memoryMap.jumps, (2 * jumpEntries * jumpEntry.size) / 8);
		const float = new FloatUnit(memory.buffer);
		const compute = (operation: number, constant: number) => float.compute(operation, constant);
		this.x87 = new X87(memory.buffer);
		this.#within = within;
		const system = (record: number) => this.#carryOut(record);
		const {imported: translations} = this.translations;
		this.#env = {state: memory, ram, access, fill, compute, x87: this.x87.execute, system, translations};
		const {run, runOn} = instantiate(loadInterpreter(), this.#env);
		this.#run = run;
		this.#runOn = runOn;
		new Float32Array(this.memory, leastNormalAt.f32x4, 4).fill(2 ** -126);
		new Float64Array(this.memory, leastNormalAt.f64x2, 2).fill(2 ** -1022);
		this.state.fusesProducts = hostFuses() ? 1 : 0;
		Object.assign(this.state, {tlb: supervisorTlb, userTlb: tlbOf(AccessClass.user, 0), userKey: userCode});
	}

	/** Puts what the TLB and the cache of blocks begin with into their memory. Before anybody looks there. */
	begin(): void {
		if (!this.#isFresh) return;
		this.#isFresh = false;
		this.forgetPages();
		this.forgetSpace(0);
		this.forgetJumps();
	}

	/** Executes records from this one on; returns the `Stop`. */
	run(record: number): number {
		this.begin();
		this.words[codeChanged] = 0;
		return this.#run(record);
	}

	/** The same, and enters handlers of page faults where that needs nobody else. */
	runOn(record: number): number {
		this.begin();
		this.words[codeChanged] = 0;
		return this.#runOn(record);
	}

	/** An interrupt waits, and cannot come in before the flag changes. */
	get #isKeptOut(): boolean {
		return this.awaitsFlag && ((this.words[controlFlags] as number) & interruptFlag) === 0;
	}

	/** Carries out a record's instruction of the system amid its block, or tells where it goes on; see `Imports`. */
	#carryOut(record: number): number {
		if (!this.carriesOut || (this.state.goesOn === 0 && !this.#isKeptOut)) return Stop.system;
		// One that is known to end in the next page says so itself: a look by its record takes longer.
		if (this.words[record / 4 + RecordWord.c] !== 0) return this.#goAcross(record);
		const quick = this.#quick.get(record);
		if (quick === undefined) return this.#instructions.has(record) ? Stop.system : this.#goAcross(record);
		this.carriedOut = record;
		const end = quick();
		this.carriedOut = 0;
		if (end === 'left') return Stop.system;
		if (end === 'faulted') return Stop.fault;
		const {state} = this;
		if (end === 'done' && state.request === 0) return 0;
		state.budget -= this.ordinalOf(record);
		const next = end === 'ended' && state.request === 0 && state.budget >= 0 ? this.enterLongCode() : 0;
		return next === 0 ? Stop.lookup : next;
	}

	/** Finds the records of an instruction that ends in the next page, if it is known. */
	#goAcross(record: number): number {
		const alone = this.across(record);
		if (alone === 0) return Stop.system;
		// It takes itself off the budget.
		this.state.budget -= this.ordinalOf(record) - 1;
		return alone;
	}

	/** Executes a block by a translation, which no head leads to. */
	runTranslation(first: number, translation: Translation): number {
		const head = this.memory.byteLength - MicroOp.size;
		this.place(loneTranslation, translation, [first]);
		this.enter(head, loneTranslation, 0);
		this.state.translates = 1;
		const stop = this.run(head);
		this.state.translates = 0;
		return stop;
	}

	/** Makes functions of a module that imports what the interpreter does. */
	instantiate(module: object): Readonly<Record<string, Translation>> {
		return instantiate(module, this.#env);
	}

	/** Has code find no block: it stops at the end of its own. */
	withoutJumps<T>(action: () => T): T {
		const {modeKey} = this.state;
		this.state.modeKey = foreignMode;
		const result = action();
		this.state.modeKey = modeKey;
		return result;
	}

	/** Forgets what the TLB knows of accesses by the supervisor. */
	forgetPages(): void {
		if (!this.#isFresh) this.#tlb.fill(-1n, 0, tlbBytes / 8);
	}

	/** Forgets what it knows in an address space. */
	forgetSpace(space: number): void {
		const at = (tlbOf(AccessClass.user, space) - memoryMap.tlb) / 8;
		if (!this.#isFresh) this.#tlb.fill(-1n, at, at + tlbBytes / 4);
	}

	/** Number that changes whenever a block may not be any more what it was, of this mode and address space. */
	get jumpsEpoch(): number {
		return this.#present.epoch;
	}

	/** What is known of code in the present mode. */
	get #present(): KnownPages {
		const {modeKey} = this.state;
		return this.#known[(modeKey & userCode) !== 0 ? modeKey >>> spaceShift : addressSpaces] as KnownPages;
	}

	/** The same of blocks in global pages. */
	get globalEpoch(): number {
		return this.#globalEpoch;
	}

	/** The record behind one. */
	static next(record: number): number {
		return record + MicroOp.size;
	}

	/** Forgets which blocks are where. */
	forgetJumps(): void {
		this.#globalEpoch++;
		for (const known of this.#known) known.clear();
		if (this.#isFresh) return;
		this.#jumps.fill(1n);
	}

	/**
	 * Forgets those that are not in global pages.
	 * @param space - of code at privilege 3; undefined: of all other code
	 */
	forgetLocalJumps(space: number = addressSpaces): void {
		const known = this.#known[space] as KnownPages;
		known.epoch++;
		for (const at of known.entries)
			for (const entry of [at, at + displaced]) this.words[entry + jumpEntry.mode / 4] = noMode;
		for (const page of known.pages) known.frames.delete(page);
		known.entries.length = 0;
		known.pages.clear();
	}

	/** Forgets blocks if any is in this page, by its linear address. */
	forgetPageJumps(low: number, high: number): void {
		const number = pageNumber(low, high);
		if (this.#known.some(({frames}) => frames.has(number))) this.forgetJumps();
	}

	/** Tells whether a load of CR3 leaves what is known of a page in the present mode. */
	outlastsLoads(isGlobal: boolean): boolean {
		return isGlobal && (this.state.modeKey & userCode) === 0;
	}

	/** A word of this memory. */
	word(place: number): bigint {
		return this.#bytes.getBigUint64(place, true);
	}

	/** Number of a record's instruction in its block. */
	ordinalOf(record: number): number {
		return this.#bytes.getUint8(record + ordinalAt);
	}

	/** Tells whether the instruction before a record's is STI, in the same block. */
	isBehindSti(record: number): boolean {
		const ordinal = this.ordinalOf(record);
		let at = record;
		while (ordinal > 1 && this.ordinalOf(at) === ordinal) at -= MicroOp.size;
		return this.#bytes.getUint16(at + kindAt, true) === sti;
	}

	/** Makes code that goes to a linear address find its block. What had its place is found behind it, until that place is wanted too. */
	remember(low: number, high: number, record: number, {page, isGlobal}: CodePage): void {
		this.rememberPage(low, high, {page, isGlobal});
		const {words} = this;
		const {modeKey} = this.state;
		const at = entryAt(low, high, modeKey);
		if (!this.outlastsLoads(isGlobal)) this.#present.entries.push(at);
		const isOther = words[at] !== low || words[at + 1] !== high || words[at + jumpEntry.mode / 4] !== modeKey;
		if (isOther && words[at + jumpEntry.mode / 4] !== noMode)
			words.copyWithin(at + displaced, at, at + jumpEntry.size / 4);
		words[at + jumpEntry.key / 4] = low;
		words[at + jumpEntry.key / 4 + 1] = high;
		words[at + jumpEntry.mode / 4] = modeKey;
		words[at + jumpEntry.record / 4] = record;
	}

	/**
	 * Takes note of where a linear page is. Where it was another before, that one's blocks are forgotten: links must not lead from one
	 * physical page to another.
	 */
	rememberPage(low: number, high: number, {page, isGlobal}: CodePage): void {
		this.begin();
		const number = pageNumber(low, high);
		const {frames, entries, pages} = this.#present;
		const isFull = frames.size >= jumpEntries || entries.length >= jumpEntries;
		if ((frames.get(number) ?? page) !== page || isFull) this.forgetJumps();
		// One that is or was global has blocks that a load of CR3 does not forget.
		if (this.outlastsLoads(isGlobal)) pages.delete(number);
		else if (!frames.has(number)) pages.add(number);
		frames.set(number, page);
	}

	/** Where the page of a linear address is, if blocks of it are known in the present mode: as a processor goes by its TLB for code. */
	codePageOf(low: number, high: number): CodePage | undefined {
		const {frames, pages} = this.#present;
		const number = pageNumber(low, high);
		const page = frames.get(number);
		return page === undefined ? undefined : {page, isGlobal: !pages.has(number)};
	}

	/** Finds the block at a linear address that is known, for the mode of now; 0 where none is. */
	find(low: number, high: number): number {
		this.begin();
		const {words} = this;
		const modeKey = this.state.modeKey | 0;
		const at = entryAt(low, high, modeKey);
		for (const entry of [at, at + displaced]) {
			const isKnown =
				words[entry] === low && words[entry + 1] === high && words[entry + jumpEntry.mode / 4] === modeKey;
			if (!isKnown) continue;
			const record = words[entry + jumpEntry.record / 4] as number;
			const kind = this.#bytes.getUint16(record + kindAt, true);
			if (kind === gone || kind === forward) continue;
			return record;
		}
		return 0;
	}

	/** Finds the block at RIP where {@link enterLongCode} does, and goes nowhere. */
	longBlock(): number {
		const {words} = this;
		if ((this.state.modeKey & longCode) === 0) return 0;
		return this.find(words[Place.rip] as number, words[Place.rip + 1] as number);
	}

	/**
	 * Goes to the block at RIP, where that is known, in 64-bit code: the usual case, without a number of 64 bits.
	 * @returns its record; 0 where it is not known, or not the usual case
	 */
	enterLongCode(): number {
		const {words} = this;
		const record = this.longBlock();
		if (record === 0) return 0;
		const [low, high] = [words[Place.rip] as number, words[Place.rip + 1] as number];
		for (const place of [Place.codePage, Place.codePageOffset]) {
			words[place] = low & ~0xfff;
			words[place + 1] = high;
		}
		return record;
	}

	/** The instruction of a record that leaves it to TypeScript; undefined where it ends in another page, or is none. */
	instructionOf(record: number): Instruction | undefined {
		return this.#instructions.get(record);
	}

	/** The first step's record of a block that has a head. */
	firstOf(record: number): number {
		const kind = this.#bytes.getUint16(record + kindAt, true);
		return kind === heatKind || kind === enterKind ? record + MicroOp.size : record;
	}

	/** Gives a translation its number. @param firsts - first records of its blocks */
	place(number: number, translation: Translation, firsts: readonly number[]): void {
		this.translations.set(number, this.guard(number, translation, firsts));
		this.words.set(firsts, tableAt(number) / 4);
	}

	/** Makes a block's head lead to a translation, which begins there. */
	enter(head: number, translation: number, entry: number): void {
		this.words[head / 4 + RecordWord.a] = translation;
		this.words[head / 4 + RecordWord.b] = tableAt(translation);
		this.words[head / 4 + RecordWord.c] = entry;
		this.#bytes.setUint16(head + kindAt, enterKind, true);
	}

	/**
	 * Makes a block's head count again, if it is one.
	 * @param executions - until the interpreter ends with it
	 * @param rest - how many more until it is hot
	 */
	count(head: number, executions: number, rest = 0): void {
		const kind = this.#bytes.getUint16(head + kindAt, true);
		if (kind !== heatKind && kind !== enterKind) return;
		this.#bytes.setUint16(head + kindAt, heatKind, true);
		this.#quads[immediateAt(head) / 8] = BigInt(executions);
		this.words[head / 4 + RecordWord.a] = rest;
	}

	/** Executions until a block is hot, of which the interpreter ends with it for a first time. */
	restOf(head: number): number {
		return this.words[head / 4 + RecordWord.a] as number;
	}

	/** The translation that a head leads to; undefined where it leads to none. */
	translationOf(head: number): number | undefined {
		return this.#bytes.getUint16(head + kindAt, true) === enterKind
			? (this.words[head / 4 + RecordWord.a] as number)
			: undefined;
	}

	/** Executions until the block of this head is hot; undefined where it does not count. */
	leftOf(head: number): number | undefined {
		return this.#bytes.getUint16(head + kindAt, true) === heatKind
			? this.#bytes.getInt32(immediateAt(head), true) + this.restOf(head)
			: undefined;
	}

	/** Physical address of a linear page in which code is executed; undefined where that is not known any more. */
	frameOf(page: bigint): number | undefined {
		return this.#present.frames.get(Number(page >> 12n));
	}

	/**
	 * Takes blocks away, of which these are the first records: whoever comes to one looks for the block anew.
	 * @param executions - how often other blocks are executed until they are hot again, which have lost their translation with them
	 * @returns whether a translation was of them
	 */
	remove(records: readonly number[], executions: number): boolean {
		for (const record of records) {
			const first = this.firstOf(record);
			// Whether its block goes on behind it is still asked.
			if (first !== this.carriedOut) {
				this.#instructions.delete(first);
				this.#quick.delete(first);
			}
			this.#bytes.setUint16(record + kindAt, gone, true);
		}
		const wasTranslated = this.removed(records, executions);
		if (wasTranslated) this.words[codeChanged] = 1;
		return wasTranslated;
	}

	/**
	 * Where a block is gone that others are linked to, makes them go to the one that has come instead, if that is known: else each time would
	 * end code. It is never one that is gone itself, so that none leads back.
	 * @param record - at which code has ended, to look for a block
	 */
	forward(record: number): void {
		if (this.#bytes.getUint16(record + kindAt, true) !== gone) return;
		const start = this.startOf(record);
		const found = this.find((this.words[Place.codePage] as number) | start, this.words[Place.codePage + 1] as number);
		if (found === 0) return;
		this.#writeAlone(record, forward, {ordinal: 0, start, next: start, immediate: start});
		this.words[record / 4 + RecordWord.c] = found;
	}

	/** Makes the block of a record end behind the record's instruction: it is not what memory has any more. */
	endBehind(record: number): void {
		this.words[codeChanged] = 1;
		const [ordinal, start] = [this.ordinalOf(record), this.startOf(record)];
		let at = record;
		for (; this.ordinalOf(at) === ordinal && this.startOf(at) === start; at += MicroOp.size) {
			this.#unlink(at);
			if (this.#isLast(at)) return;
		}
		const behind = this.nextOf(record);
		this.#writeAlone(at, next, {ordinal, start, next: behind, immediate: behind});
	}

	/** Tells whether code never goes on at the next record. */
	#isLast(record: number): boolean {
		const kind = kinds[this.#bytes.getUint16(record + kindAt, true)];
		if (kind !== undefined) return kind.isLast;
		const instruction = this.#instructions.get(record);
		return instruction === undefined || !goesStraight(instruction);
	}

	/** Makes a record find anew where it jumps to; any other has no such thing. */
	#unlink(record: number): void {
		if (linkedKinds.has(this.#bytes.getUint16(record + kindAt, true))) this.#bytes.setUint32(record + linkAt, 0, true);
	}

	/** The registers, to go back to. */
	save(): Uint8Array {
		return new Uint8Array(this.memory, memoryMap.state, CpuState.size).slice();
	}

	/** Goes back to them, but for what a fault has left for its handler. */
	restore(saved: Uint8Array): void {
		const {vector, errorCode, cr2} = this.state;
		this.restoreAll(saved);
		Object.assign(this.state, {vector, errorCode, cr2});
	}

	/** Goes back to them all, but for what is counted for people. */
	restoreAll(saved: Uint8Array): void {
		const bytes = new Uint8Array(this.memory, memoryMap.state, CpuState.size);
		// Another thread may have written its request meanwhile: that stays.
		const request = CpuState.offset('request');
		bytes.set(saved.subarray(0, request));
		bytes.set(saved.subarray(request + 4, CpuState.offset('instructions')), request + 4);
		// What was computed meanwhile is of another state.
		this.privilegeInputs.fill(-1);
		this.pagingInputs.fill(-1);
	}

	/** Steps of blocks that there is room for, and that are there. */
	get maxSteps(): number {
		return (this.#recordsEnd - memoryMap.records) / MicroOp.size;
	}

	get steps(): number {
		return (this.#nextRecord - memoryMap.records) / MicroOp.size;
	}

	get #recordsEnd(): number {
		return this.memory.byteLength - aloneSlots * aloneBytes;
	}

	/** False where there is no room for another block, whatever it has. */
	get hasRoom(): boolean {
		const most = maxBlockRecords + 1;
		if (this.#instructions.size + most > maxInstructions) return false;
		return this.#nextRecord + most * MicroOp.size <= this.#recordsEnd;
	}

	/** Slots of {@link decodeAlone}: numbers below. */
	static readonly slots: number = aloneSlots;

	/**
	 * Makes records of one instruction whose bytes are given; undefined for one that has none.
	 * @param slot - where they go, and hold until the next call with it
	 */
	decodeAlone(bytes: Uint8Array, pageOffset: number, codeSize: CodeSize, slot: number): number | undefined {
		const page = new Uint8Array(pageOffset + bytes.length);
		page.set(bytes, pageOffset);
		const first = this.memory.byteLength - (slot + 1) * aloneBytes;
		for (let record = first; record < first + aloneBytes; record += MicroOp.size) {
			this.#instructions.delete(record);
			this.#quick.delete(record);
		}
		const block = this.#decoderNow.decode(page, pageOffset, {codeSize, limit: 1, end: page.length, at: first});
		if (((this.words[first / 4 + RecordWord.kind] as number) & 0xffff) === systemKind) return undefined;
		this.#keepInstructions(block);
		return first;
	}

	/** Forgets all records. */
	forgetCode(): void {
		this.codeEpoch++;
		this.#nextRecord = memoryMap.records;
		this.#instructions.clear();
		this.#quick.clear();
		this.forgotten();
		this.forgetJumps();
	}

	/** Takes back what a step that jumps has done but for jumping; false where it is none. */
	undoJump(record: number): boolean {
		const kind = kinds[this.#bytes.getUint16(record + kindAt, true)];
		if (kind === undefined || !kind.isJump || kind.key === 'next.64' || kind.key === 'forward.64') return false;
		if (kind.key.startsWith('loop')) {
			const {general} = this.state;
			const [count, bits] = [general[counter] as bigint, kind.width];
			general[counter] = ((count >> BigInt(bits)) << BigInt(bits)) | BigInt.asUintN(bits, count + 1n);
		}
		return true;
	}

	/** Place of the base of the segment that a step's access is in. */
	segmentOf(record: number): number {
		return this.#bytes.getUint32(record + segmentAt, true);
	}

	/** Kind of a record. */
	kindOf(record: number): number {
		return this.#bytes.getUint16(record + kindAt, true);
	}

	/** Offset in its page of the instruction of a record. */
	startOf(record: number): number {
		return this.#bytes.getUint16(record + startAt, true);
	}

	/** The same of the next instruction. */
	nextOf(record: number): number {
		return this.#bytes.getUint16(record + nextAt, true);
	}

	/**
	 * Keeps the block that has been decoded last, and gives the address of its first record.
	 * @param head - of a block whose executions are counted: how many until {@link run} ends with it, how many from there until it is hot, and where in
	 * the page it begins
	 */
	write(
		block: DecodedBlock,
		head?: {readonly executions: number; readonly rest: number; readonly start: number},
	): number {
		const first = this.#nextRecord;
		if (head !== undefined) {
			const {executions, rest, start} = head;
			this.#writeAlone(first, heatKind, {ordinal: 1, start, next: start, immediate: executions});
			this.words[first / 4 + RecordWord.a] = rest;
		}
		this.#keepInstructions(block);
		this.#nextRecord = block.first + block.count * MicroOp.size;
		return first;
	}

	/** Takes note of instructions for TypeScript of a block where none are known any more. */
	#keepInstructions({first, instructions}: DecodedBlock): void {
		for (const [step, instruction] of instructions) {
			const record = first + step * MicroOp.size;
			this.#instructions.set(record, instruction);
			const quick = this.#within(instruction);
			if (quick !== undefined) this.#quick.set(record, quick);
		}
	}

	/** Writes a record without operands. */
	#writeAlone(
		record: number,
		kind: number,
		fields: Readonly<Record<'ordinal' | 'start' | 'next' | 'immediate', number>>,
	) {
		const {ordinal, start, next: behind, immediate} = fields;
		this.#instructions.delete(record);
		this.#quick.delete(record);
		const word = record / 4;
		this.words.fill(0, word, word + RecordWord.words);
		this.words[word + RecordWord.kind] = kind | (ordinal << ordinalShift);
		this.words[word + RecordWord.start] = start | (behind << nextShift);
		this.#quads[immediateAt(record) / 8] = BigInt(immediate);
	}

	/**
	 * Decodes the block at an offset of a page's bytes, which holds until the next one is decoded, or {@link write} keeps it.
	 * @param hasHead - it will have a head
	 */
	decode(page: Uint8Array, pageOffset: number, options?: BlockOptions, hasHead = false): DecodedBlock {
		const at = this.#nextRecord + (hasHead ? MicroOp.size : 0);
		return this.#decoderNow.decode(page, pageOffset, {...options, at});
	}

	get #decoderNow(): BlockDecoder {
		this.#decoder ??= new BlockDecoder(this.announced, this.#forms, this.#own);
		return this.#decoder;
	}
}
