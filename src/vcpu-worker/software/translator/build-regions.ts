import {type FunctionBuilder, type Int, i32, type Label, type Local, ModuleBuilder} from '#support/wasm';
import {
	cachedBlock,
	enterPage,
	GeneratedStep,
	type Imports,
	importParts,
	RareFunctions,
} from '#vcpu-worker/software/interpreter';
import {enterKind, kinds} from '#vcpu-worker/software/semantics';
import {blockBits, CpuState, goOn, MicroOp, Stop} from '#vcpu-worker/software/state';
import {pageOf} from '#vcpu-worker/software/translation-store';
import {KnownFields} from './known-fields.ts';
import {LocalRegisters} from './local-registers.ts';
import type {KnownStep} from './read-block.ts';
import {isReturn, isUnknown, type Region, type RegionBlock} from './region.ts';

/** Builds a module whose functions `0`, `1` and so on are these regions. Its imports are the interpreter's. */
export function buildRegions(regions: readonly Region[]): Uint8Array<ArrayBuffer> {
	const module = new ModuleBuilder();
	const imports = importParts(module);
	const rare = new RareFunctions(module, imports);
	for (const [index, region] of regions.entries()) {
		const func = module.function({parameters: ['i32', 'i32'], result: 'i32'});
		new RegionWriter(func.body, imports, rare, region).write();
		module.exportFunction(`${index}`, func);
	}
	return module.encode();
}

/** Bits of an offset in a page. */
const pageBits = 12;

/** Kinds by which TypeScript looks at registers, or which end what can be said: the interpreter has them. */
const leftKinds = new Set(kinds.flatMap(({key}, number) => (/^(x87|gone)/.test(key) ? [number] : [])));
/** Kinds behind which code may be of another privilege. */
const modeChanges = new Set(kinds.flatMap(({key}, number) => (/^(syscall|sysret|iret)[.]/.test(key) ? [number] : [])));
const isLeft = (kind: number): boolean => kind >= kinds.length || leftKinds.has(kind);

/**
 * Writes a region as one function of its table, which has the first record of each of its blocks, and the entry at which it begins (`entryOf`).
 * Branches forth go straight, those back are of loops. Code that comes into the middle of a loop comes by its first block, where a variable tells
 * where it goes. Where a branch leaves the region, and where one goes is known when it runs only, a place behind all blocks looks into the cache of
 * blocks: it goes on within the function, at another translation, or leaves. What it does not know it leaves to the interpreter.
 */
class RegionWriter {
	readonly #f: FunctionBuilder<readonly ['i32', 'i32']>;
	readonly #imports: Imports;
	readonly #rare: RareFunctions;
	readonly #region: Region;
	readonly #registers: LocalRegisters;
	/** What the function returns, and what it says in `record`. */
	readonly #end: Local<'i32'>;
	readonly #record: Local<'i32'>;
	readonly #tlb: Local<'i32'>;
	/** Address to which code goes that leaves the region's branches. */
	readonly #address: Local<'i64'>;
	/** Bits of the pages that are known to be where the region's are: nothing changes that until code leaves the function's branches. */
	readonly #pages: Local<'i32'>;
	/** One more than the number of the block within a loop to which code is on its way; else 0. */
	readonly #inner: Local<'i32'>;
	/** Has accesses of the block that has been written last go by one look. */
	readonly #shareLooks: () => void = () => {};
	/** Number of the step with which the present instruction begins, and where a block has all that its accesses miss. */
	#first = 0;
	#missed: Label | undefined;
	/** Where all blocks have it. */
	#allMissed: Label | undefined;
	#out: Label | undefined;
	#onward: Label | undefined;
	#goesOnward = false;
	/** Begins of blocks that are further on. */
	readonly #begins: Label[] = [];
	/** Begins of the loops around. */
	readonly #again = new Map<number, Label>();
	/** First blocks of loops into whose middle code comes, and the blocks to which it does. */
	readonly #guarded = new Set<number>();
	readonly #arrivals = new Set<number>();
	/** The instruction writes memory. */
	#hasStored = false;
	/** Code is 64-bit code, and stays that. */
	readonly #isFlat: boolean;
	readonly #changesMode: boolean;

	constructor(f: FunctionBuilder<readonly ['i32', 'i32']>, imports: Imports, rare: RareFunctions, region: Region) {
		this.#f = f;
		this.#imports = imports;
		this.#rare = rare;
		this.#region = region;
		this.#changesMode = region.blocks.some(({steps}) => steps.some(({kind}) => modeChanges.has(kind)));
		this.#isFlat = region.isLong && !this.#changesMode;
		this.#end = f.lastingLocal('i32');
		this.#record = f.lastingLocal('i32');
		this.#tlb = f.lastingLocal('i32');
		this.#address = f.lastingLocal('i64');
		this.#pages = f.lastingLocal('i32');
		this.#inner = f.lastingLocal('i32');
		this.#registers = new LocalRegisters(f, imports.state, {
			leave: (end, record) => this.#leave(end, record),
			missed: () => this.#registers.leaving(() => this.#miss()),
		});
		if (!region.looksAlone) this.#shareLooks = this.#registers.shareLooks();
		for (const entry of region.entries) this.#guard(entry, this.#enteredBy(entry));
		for (const [from, {targets}] of region.blocks.entries())
			for (const target of targets) this.#guard(target, this.#enteredBy(target, from));
		if (this.#guarded.size > 0) for (const entry of region.entries) this.#arrivals.add(entry);
	}

	write(): void {
		const f = this.#f;
		const {state} = this.#imports;
		const all = (top?: Label) => {
			f.block((onward) => {
				this.#onward = onward;
				this.#begin();
			});
			if (this.#goesOnward) this.#goOnward(top);
			else f.unreachable();
		};
		f.block((out) => {
			this.#out = out;
			f.block((missed) => {
				this.#allMissed = missed;
				if (this.#region.comesBack) f.loop(all);
				else all();
			});
			f.ifUnlikely(this.#registers.differ.shrU(pageBits).ne(0), () => this.#countStraddle());
			f.set(this.#end, goOn);
		});
		this.#registers.writeBack();
		f.store(state, 32, i32(0), CpuState.offset('record'), this.#record);
		f.return(this.#end);
		f.before(() => {
			f.set(this.#tlb, state.load('i32', 32, i32(0), CpuState.offset('tlb')));
			this.#registers.fill(f.parameters[1]);
		});
	}

	/** Goes to the block that the function is given, and writes all. */
	#begin(): void {
		const f = this.#f;
		const {blocks, entries, pages} = this.#region;
		const [, entry] = f.parameters;
		if (pages.length > 1) f.set(this.#pages, this.#pages.or(i32(1).shl(entry.shrU(blockBits))));
		const number = pages.length > 1 ? entry.and((1 << blockBits) - 1) : entry;
		if (this.#guarded.size > 0) f.set(this.#inner, number.add(1));
		this.#writeBlocks(0, blocks.length - 1, () => {
			if (entries.some((each) => each !== 0)) f.brTable(number, this.#begins);
		});
	}

	/** Finds the loops that are entered in their middle by who goes to a block, from another one or from elsewhere. */
	#enteredBy(target: number, from?: number): number[] {
		return [...this.#region.loops].flatMap(([head, end]) => {
			const isAround = from !== undefined && from >= head && from <= end;
			return target > head && target <= end && !isAround ? [head] : [];
		});
	}

	#guard(target: number, heads: readonly number[]): void {
		for (const head of heads) this.#guarded.add(head);
		if (heads.length > 0) this.#arrivals.add(target);
	}

	/**
	 * Writes blocks that follow each other: opens what their begins are the ends of, the first innermost, and writes each behind its own. A loop
	 * among them is as one.
	 * @param first - comes first of all, where all begins are known
	 * @param head - of the loop that they are, whose begin is open already
	 */
	#writeBlocks(from: number, last: number, first: () => void, head?: number): void {
		const f = this.#f;
		const units: {readonly begin: number; readonly end: number}[] = [];
		for (let begin = from; begin <= last; ) {
			const end = begin === head ? begin : (this.#region.loops.get(begin) ?? begin);
			units.push({begin, end});
			begin = end + 1;
		}
		const open = (at: number): void => {
			const unit = units[at];
			if (unit === undefined) {
				first();
				return;
			}
			const {begin, end} = unit;
			f.block((label) => {
				for (let block = begin; block <= end; block++) this.#begins[block] = label;
				open(at - 1);
			});
			if (begin === head || !this.#region.loops.has(begin)) this.#writeBlock(begin);
			else
				f.loop((again) => {
					this.#again.set(begin, again);
					this.#writeBlocks(begin, end, () => this.#goInside(begin, end), begin);
				});
		};
		open(units.length - 1);
	}

	/** Goes on to a block within a loop, if code is on its way there. */
	#goInside(head: number, end: number): void {
		const f = this.#f;
		if (!this.#guarded.has(head)) return;
		f.if(this.#inner, () => f.brTable(this.#inner.sub(head + 1), this.#begins.slice(head, end + 1)));
	}

	/** What a block's accesses miss comes together behind it: V8 takes much longer for many ways to one place. */
	#writeBlock(number: number): void {
		const f = this.#f;
		f.block((missed) => {
			this.#missed = missed;
			this.#writeSteps(number);
			this.#shareLooks();
		});
		f.set(this.#record, this.#recordOf(number, 0).add(this.#record));
		f.br(this.#allMissed as Label);
	}

	/** Has the interpreter begin the present instruction anew. */
	#miss(): void {
		this.#f.set(this.#record, this.#first * MicroOp.size);
		this.#f.br(this.#missed as Label);
	}

	/** Accesses that go by one look lie across pages. */
	#countStraddle(): void {
		const f = this.#f;
		const {state} = this.#imports;
		const at = CpuState.offset('straddles');
		f.store(state, 32, i32(0), at, state.load('i32', 32, i32(0), at).add(1));
		f.store(state, 32, i32(0), CpuState.offset('straddler'), f.parameters[0]);
	}

	#writeSteps(number: number): void {
		const block = this.#blockOf(number);
		this.#registers.beginBlock();
		if (this.#arrivals.has(number)) this.#f.set(this.#inner, 0);
		const left = new Set(block.steps.flatMap(({kind, ordinal}) => (isLeft(kind) ? [ordinal] : [])));
		for (const [index, step] of block.steps.entries()) {
			if (step.ordinal !== block.steps[index - 1]?.ordinal) {
				this.#first = index;
				this.#registers.begin();
				if (left.has(step.ordinal)) {
					this.#leave(i32(goOn), this.#recordOf(number, index));
					return;
				}
			}
			if (this.#writeStep(number, index)) return;
		}
		const last = block.steps.at(-1);
		if (last === undefined) return;
		const end = block.steps.length - 1;
		if (block.follower === undefined) this.#leave(i32(goOn), this.#recordOf(number, end + 1));
		else this.#goTo(number, end, block.follower.place, block.follower.executed);
	}

	/** @returns whether it is the last of its block */
	#writeStep(number: number, index: number): boolean {
		const f = this.#f;
		const block = this.#blockOf(number);
		const step = block.steps[index] as KnownStep;
		const kind = kinds[step.kind];
		if (kind === undefined) throw new RangeError('the step has no kind');
		const record = this.#recordOf(number, index);
		const operation: GeneratedStep = new GeneratedStep(
			f,
			kind,
			this.#imports,
			new KnownFields(step, record),
			this.#registers,
			this.#tlb,
			{
				inPage: () => {
					const place = pageOf(block.place) + Number(step.immediate);
					// What it pushed may have changed the code that it goes to.
					if (operation.hasStored)
						f.ifUnlikely(this.#registers.changed, () => this.#goBy(number, index, this.#addressOf(number, place)));
					this.#goTo(number, index, place);
				},
				to: (address) => {
					if (isReturn(step)) this.#goToOne(number, index, address, this.#region.returns);
					if (isUnknown(step)) this.#followLinks(number, index, address);
					this.#goBy(number, index, address);
				},
			},
			this.#rare,
		);
		// Whether an operand is known decides on branches too.
		const key = `${step.kind} ${step.b === undefined} ${step.c === undefined}`;
		this.#registers.step(key, () => kind.meaning(operation));
		this.#hasStored ||= operation.hasStored;
		const following = block.steps[index + 1];
		if (following?.ordinal === step.ordinal) return false;
		if (this.#hasStored && !kind.isLast && (following !== undefined || block.follower !== undefined))
			f.ifUnlikely(this.#registers.changed, () => this.#leave(i32(goOn), this.#recordOf(number, index + 1)));
		this.#hasStored = false;
		return kind.isLast;
	}

	/** Goes where the jump or call often does, if it does now. */
	#followLinks(from: number, index: number, address: Int<'i64'>): void {
		const {place, steps} = this.#blockOf(from);
		const {start = 0} = steps[index] ?? {};
		this.#goToOne(from, index, address, this.#region.links.get(pageOf(place) + start) ?? []);
	}

	/** Goes to an address, if that is one of these places: behind the calls of the region, for one that returns. */
	#goToOne(from: number, index: number, address: Int<'i64'>, places: readonly number[]): void {
		const f = this.#f;
		if (places.length === 0) return;
		const offset = f.let(address.sub(this.#codePageOffset()));
		const page = pageOf(this.#blockOf(from).place);
		for (const place of places) f.if(offset.eq(BigInt(place - page)), () => this.#goTo(from, index, place));
	}

	/** Goes to a block of the region, or leaves its branches. @param executed - instructions so far, if not all of the step's */
	#goTo(from: number, index: number, place: number, executed?: number): void {
		const number = this.#region.numbers.get(place);
		if (number === undefined) this.#goBy(from, index, this.#addressOf(from, place));
		else this.#registers.leaving(() => this.#branch(from, index, number, executed));
	}

	/** Goes to a block by its number; looks whether somebody wants something where that is not further on. */
	#branch(from: number, index: number, number: number, executed?: number): void {
		const f = this.#f;
		const budget = this.#count(from, index, executed);
		if (number <= from) {
			const {place} = this.#blockOf(number);
			f.ifUnlikely(this.#isWanted(budget), () => {
				f.store(this.#imports.state, 64, i32(0), CpuState.offset('rip'), this.#addressOf(from, place));
				this.#leave(i32(Stop.poll), this.#recordOf(from, index));
			});
		}
		this.#enterPageOf(from, index, number);
		if (this.#enteredBy(number, from).length > 0) f.set(this.#inner, number + 1);
		f.br((number > from ? this.#begins[number] : this.#again.get(number)) as Label);
	}

	/**
	 * Goes from page to page, where the other one is still the region's: its linear address leads to that block's record. Whatever changes where pages
	 * are has the cache of blocks forget, and does so outside of translations.
	 */
	#enterPageOf(from: number, index: number, number: number): void {
		const f = this.#f;
		const {state} = this.#imports;
		const {place} = this.#blockOf(number);
		const distance = pageOf(place) - pageOf(this.#blockOf(from).place);
		if (distance === 0) return;
		const bit = 1 << this.#region.pages.indexOf(pageOf(place));
		f.ifUnlikely(this.#pages.and(bit).isZero(), () => {
			const address = f.let(this.#addressOf(from, place));
			const {isKnown, record} = cachedBlock(f, state, address, this.#isFlat);
			// What the cache has is the head before the first record.
			const isOwn = record.eq(this.#recordOf(number, 0).sub(MicroOp.size));
			f.ifUnlikely(isKnown.and(isOwn).isZero(), () => this.#goOnwardTo(address, this.#recordOf(from, index)));
			f.set(this.#pages, this.#pages.or(bit));
		});
		const page = state.load('i64', 64, i32(0), CpuState.offset('codePage'));
		enterPage(f, state, page.add(BigInt(distance)), this.#codePageOffset().add(BigInt(distance)));
	}

	/** Takes instructions off the budget. @returns what is left */
	#count(from: number, index: number, executed = this.#blockOf(from).steps[index]?.ordinal ?? 0): Int<'i32'> {
		const f = this.#f;
		const budget = f.let(this.#registers.budget().sub(executed));
		this.#registers.setBudget(budget);
		return budget;
	}

	/** Tells by one test whether the budget is used up, or somebody wants something. */
	#isWanted(budget: Int<'i32'>): Int<'i32'> {
		return budget.shrU(31).or(this.#imports.state.load('i32', 32, i32(0), CpuState.offset('request')));
	}

	/** Goes to an address by the step that jumps. */
	#goBy(from: number, index: number, address: Int<'i64'>): void {
		this.#registers.leaving(() => {
			this.#count(from, index);
			this.#goOnwardTo(address, this.#recordOf(from, index));
		});
	}

	#goOnwardTo(address: Int<'i64'>, record: Int<'i32'>): void {
		const f = this.#f;
		f.set(this.#address, address);
		f.set(this.#record, record);
		this.#goesOnward = true;
		f.br(this.#onward as Label);
	}

	/** Goes on at the address that has been set: in this function, by another translation, or by the interpreter. */
	#goOnward(top: Label | undefined): void {
		const f = this.#f;
		const {state, translations} = this.#imports;
		const [table, entry] = f.parameters;
		this.#registers.beginBlock();
		const stop = (reason: number) => {
			f.store(state, 64, i32(0), CpuState.offset('rip'), this.#address);
			this.#leave(i32(reason), this.#record);
		};
		f.ifUnlikely(this.#isWanted(this.#registers.budget()), () => {
			f.store(state, 32, i32(0), CpuState.offset('crossing'), table);
			stop(Stop.poll);
		});
		const block = cachedBlock(f, state, this.#address, this.#isFlat);
		f.ifUnlikely(block.isKnown.isZero(), () => stop(Stop.lookup));
		if (top !== undefined) this.#forgetPages(block.page);
		enterPage(f, state, block.page, block.pageOffset);
		const head = f.let(block.record);
		f.ifUnlikely(state.load('i32', 16, head, MicroOp.offset('kind')).ne(enterKind), () => this.#leave(i32(goOn), head));
		const word = (name: 'a' | 'b' | 'c') => state.load('i32', 32, head, MicroOp.offset(name));
		const other = f.let(word('b'));
		if (top !== undefined)
			f.if(other.eq(table), () => {
				f.set(entry, word('c'));
				f.br(top);
			});
		const given = this.#registers.handOver(word('c'));
		f.returnCallIn(translations, word('a'), other, given);
	}

	/**
	 * Before code goes on within the function: pages are known as seen from the page where code is, which another linear address may lead to as well,
	 * and at the privilege that code has.
	 */
	#forgetPages(page: Int<'i64'>): void {
		const f = this.#f;
		if (this.#region.pages.length === 1) return;
		const codePage = this.#imports.state.load('i64', 64, i32(0), CpuState.offset('codePage'));
		if (this.#changesMode) f.set(this.#pages, 0);
		else f.if(codePage.ne(page), () => f.set(this.#pages, 0));
	}

	#leave(end: Int<'i32'>, record: Int<'i32'>): void {
		const f = this.#f;
		this.#registers.leaving(() => {
			f.set(this.#end, end);
			f.set(this.#record, record);
			f.br(this.#out as Label);
		});
	}

	#blockOf(number: number): RegionBlock {
		return this.#region.blocks[number] as RegionBlock;
	}

	#codePageOffset(): Int<'i64'> {
		return this.#imports.state.load('i64', 64, i32(0), CpuState.offset('codePageOffset'));
	}

	/** Address of a place, for code of a block. */
	#addressOf(from: number, place: number): Int<'i64'> {
		return this.#codePageOffset().add(BigInt(place - pageOf(this.#blockOf(from).place)));
	}

	/** Where a record is: only the processor knows that, by its table. Wanted on ways out only. */
	#recordOf(block: number, index: number): Int<'i32'> {
		const first = this.#imports.state.load('i32', 32, this.#f.parameters[0], block * 4);
		return index === 0 ? first : first.add(index * MicroOp.size);
	}
}
