import {type FunctionBuilder, type Int, i32, type Label, type Local, ModuleBuilder} from '#support/wasm';
import {GeneratedStep, type Imports, importParts, RareFunctions} from '#vcpu-worker/software/interpreter';
import {kindNumber, kinds} from '#vcpu-worker/software/semantics';
import {CpuState, MicroOp, Onward, Stop} from '#vcpu-worker/software/state';
import {KnownFields} from './known-fields.ts';
import {LocalRegisters} from './local-registers.ts';
import {loopsOf} from './loops.ts';
import type {KnownStep} from './read-block.ts';
import {type Region, type RegionBlock, returnsTo, targetsOf} from './region.ts';

/** What an access does that the TLB does not serve. */
export type Misses = 'leave' | 'call';

/**
 * Builds a module whose functions `0`, `1` and so on are these regions. Its imports are the interpreter's.
 * @param misses - `leave`: the interpreter begins the instruction anew. Without a call V8 keeps registers where they are, in the processor's.
 */
export function buildRegions(regions: readonly Region[], misses: Misses = 'leave'): Uint8Array<ArrayBuffer> {
	const module = new ModuleBuilder();
	const imports = importParts(module);
	const rare = new RareFunctions(module, imports);
	for (const [index, region] of regions.entries()) {
		const func = module.function({parameters: ['i32', 'i32'], result: 'i32'});
		new RegionWriter(func.body, imports, rare, region, misses).write();
		module.exportFunction(`${index}`, func);
	}
	return module.encode();
}

/** Most places behind calls that a return is compared with. */
const maxReturns = 8;

const returning = kindNumber('ret.64');

/** Kinds by which TypeScript looks at registers, or which end what can be said: the interpreter has them. */
const leftKinds = new Set(kinds.flatMap(({key}, number) => (/^(x87|gone)/.test(key) ? [number] : [])));
const isLeft = (kind: number): boolean => kind >= kinds.length || leftKinds.has(kind);

/**
 * Writes a region as one function of its table, which has the first record of each of its blocks, and the number of the block at which it
 * begins. Its blocks follow each other as in the page; branches forth go straight, those back are of loops where such a loop is entered at its
 * first block only, else they go by a table at the top. What it does not know it leaves to the interpreter.
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
	/** Block to go to from the top. */
	readonly #target: Local<'i32'>;
	#out: Label | undefined;
	#top: Label | undefined;
	/** There is more than one block to begin at, or to go back to. */
	#hasTable = false;
	/** Begins of blocks that are further on. */
	readonly #begins: Label[] = [];
	/** Where its calls return to, as far as that is in it. */
	readonly #returns: readonly number[];
	/** Numbers of the blocks that each block goes to. */
	readonly #targets: readonly (readonly number[])[];
	/** Its loops, and their begins. */
	readonly #loops: ReadonlyMap<number, number>;
	readonly #again = new Map<number, Label>();
	/** The instruction writes memory. */
	#hasStored = false;

	constructor(
		f: FunctionBuilder<readonly ['i32', 'i32']>,
		imports: Imports,
		rare: RareFunctions,
		region: Region,
		misses: Misses,
	) {
		this.#f = f;
		this.#imports = imports;
		this.#rare = rare;
		this.#region = region;
		this.#end = f.lastingLocal('i32');
		this.#record = f.lastingLocal('i32');
		this.#tlb = f.lastingLocal('i32');
		this.#target = f.parameters[1];
		const points = new Set(region.blocks.flatMap(({steps}) => returnsTo(steps)));
		this.#returns = [...points].filter((start) => region.numbers.has(start)).slice(0, maxReturns);
		this.#targets = region.blocks.map((block) => this.#targetsOf(block));
		this.#loops = loopsOf(this.#targets, region.entries);
		this.#registers = new LocalRegisters(
			f,
			imports.state,
			{leave: (end, record) => this.#leave(end, record)},
			misses === 'leave',
		);
	}

	write(): void {
		const f = this.#f;
		const {state} = this.#imports;
		const {blocks, entries} = this.#region;
		const last = blocks.length - 1;
		const goesBack = this.#targets.some((targets, number) =>
			targets.some((target) => target <= number && !this.#loops.has(target)),
		);
		this.#hasTable = goesBack || entries.some((number) => number !== 0);
		f.block((out) => {
			this.#out = out;
			if (goesBack)
				f.loop((top) => {
					this.#top = top;
					this.#writeBlocks(0, last);
				});
			else this.#writeBlocks(0, last);
		});
		this.#registers.writeBack();
		f.store(state, 32, i32(0), CpuState.offset('record'), this.#record);
		f.return(this.#end);
		f.before(() => {
			f.set(this.#tlb, state.load('i32', 32, i32(0), CpuState.offset('tlb')));
			this.#registers.fill();
		});
	}

	/** Finds the numbers of the blocks that a block goes to. */
	#targetsOf({steps, follower}: RegionBlock): readonly number[] {
		const {numbers} = this.#region;
		const points = steps.some(({kind}) => kind === returning) ? this.#returns : [];
		const behind = follower === undefined ? [] : [follower.start];
		return [...targetsOf(steps), ...points, ...behind].flatMap((start) => numbers.get(start) ?? []);
	}

	/**
	 * Writes blocks that follow each other: opens what their begins are the ends of, the first innermost, and writes each behind its own. A loop
	 * among them is as one.
	 * @param head - of the loop that they are, whose begin is open already
	 */
	#writeBlocks(from: number, last: number, head?: number): void {
		const f = this.#f;
		const units: {readonly first: number; readonly end: number}[] = [];
		for (let first = from; first <= last; ) {
			const end = first === head ? first : (this.#loops.get(first) ?? first);
			units.push({first, end});
			first = end + 1;
		}
		const open = (at: number): void => {
			const unit = units[at];
			if (unit === undefined) {
				if (head === undefined && this.#hasTable) f.brTable(this.#target, this.#begins);
				return;
			}
			const {first, end} = unit;
			f.block((begin) => {
				for (let block = first; block <= end; block++) this.#begins[block] = begin;
				open(at - 1);
			});
			if (first === head || !this.#loops.has(first)) this.#writeBlock(first);
			else
				f.loop((again) => {
					this.#again.set(first, again);
					this.#writeBlocks(first, end, first);
				});
		};
		open(units.length - 1);
	}

	#writeBlock(number: number): void {
		const block = this.#region.blocks[number] as RegionBlock;
		this.#registers.beginBlock();
		const left = new Set(block.steps.flatMap(({kind, ordinal}) => (isLeft(kind) ? [ordinal] : [])));
		for (const [index, step] of block.steps.entries()) {
			if (step.ordinal !== block.steps[index - 1]?.ordinal) {
				this.#registers.begin(this.#recordOf(number, index));
				if (left.has(step.ordinal)) {
					this.#leave(i32(Onward.record), this.#recordOf(number, index));
					return;
				}
			}
			if (this.#writeStep(number, index)) return;
		}
		const last = block.steps.at(-1);
		if (block.follower !== undefined && last !== undefined)
			this.#goTo(number, block.steps.length - 1, block.follower.start, block.follower.executed);
	}

	/** @returns whether it is the last of its block */
	#writeStep(number: number, index: number): boolean {
		const f = this.#f;
		const {state} = this.#imports;
		const block = this.#region.blocks[number] as RegionBlock;
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
					// What it pushed may have changed the code that it goes to.
					if (operation.hasStored) f.if(this.#registers.changed, () => this.#leave(i32(Onward.inPage), record));
					this.#goTo(number, index, Number(step.immediate));
				},
				to: (address) => {
					if (step.kind === returning) this.#returnTo(number, index, address);
					f.store(state, 64, i32(0), CpuState.offset('rip'), address);
					this.#leave(i32(Onward.to), record);
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
			f.if(this.#registers.changed, () => this.#leave(i32(Onward.record), this.#recordOf(number, index + 1)));
		this.#hasStored = false;
		return kind.isLast;
	}

	/** Goes behind the call, if that is one of the region's. */
	#returnTo(from: number, index: number, address: Int<'i64'>): void {
		const f = this.#f;
		if (this.#returns.length === 0) return;
		const offset = f.let(address.sub(this.#imports.state.load('i64', 64, i32(0), CpuState.offset('codePageOffset'))));
		for (const start of this.#returns) f.if(offset.eq(BigInt(start)), () => this.#goTo(from, index, start));
	}

	/** Goes to a block of the region, or leaves to the interpreter by the step that jumps. */
	#goTo(from: number, index: number, start: number, executed?: number): void {
		const block = this.#region.blocks[from] as RegionBlock;
		const step = block.steps[index] as KnownStep;
		const number = this.#region.numbers.get(start);
		const isJump = kinds[step.kind]?.isJump === true;
		if (number === undefined) {
			this.#leave(i32(isJump ? Onward.inPage : Onward.record), this.#recordOf(from, isJump ? index : index + 1));
			return;
		}
		this.#registers.leaving(() => this.#branch(from, index, number, executed));
	}

	/** Goes to a block by its number; looks whether somebody wants something where that is not further on. */
	#branch(from: number, index: number, number: number, executed?: number): void {
		const f = this.#f;
		const block = this.#region.blocks[from] as RegionBlock;
		const step = block.steps[index] as KnownStep;
		const {state} = this.#imports;
		const budget = f.let(this.#registers.budget().sub(executed ?? step.ordinal));
		this.#registers.setBudget(budget);
		if (number > from) {
			f.br(this.#begins[number] as Label);
			return;
		}
		// One test of both: the budget's sign, or a request.
		const request = state.load('i32', 32, i32(0), CpuState.offset('request'));
		f.if(budget.shrU(31).or(request), () => {
			const offset = state.load('i64', 64, i32(0), CpuState.offset('codePageOffset'));
			const {start} = this.#region.blocks[number] as RegionBlock;
			f.store(state, 64, i32(0), CpuState.offset('rip'), offset.add(BigInt(start)));
			this.#leave(i32(Stop.poll), this.#recordOf(from, index));
		});
		const again = this.#again.get(number);
		if (again !== undefined) f.br(again);
		else {
			f.set(this.#target, number);
			f.br(this.#top as Label);
		}
	}

	#leave(end: Int<'i32'>, record: Int<'i32'>): void {
		const f = this.#f;
		this.#registers.leaving(() => {
			f.set(this.#end, end);
			f.set(this.#record, record);
			f.br(this.#out as Label);
		});
	}

	/** Where a record is: only the processor knows that, by its table. Wanted on ways out only. */
	#recordOf(block: number, index: number): Int<'i32'> {
		const first = this.#imports.state.load('i32', 32, this.#f.parameters[0], block * 4);
		return index === 0 ? first : first.add(index * MicroOp.size);
	}
}
