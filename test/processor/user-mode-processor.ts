import type {ViewOf} from '#support/wire';
import {type CaseRecord, codeAddress, noVector, type ProcessorState, windowAddress, windowBytes} from '#test/silicon';
import {decode} from '#vcpu-worker/software/decode';
import {compile, type Translation} from '#vcpu-worker/software/interpreter';
import {CpuState, Stop, withinSteps} from '#vcpu-worker/software/state';
import {flagsOf, GuestFault, type Outside, Processor, setFlags, systemInstructions} from '#vcpu-worker/software/system';
import {announcing, loneMemory} from '#vcpu-worker/software/system/testing';
import {buildRegions, type KnownStep, loneRegion, readBlock} from '#vcpu-worker/software/translator';

type StateView = ViewOf<typeof ProcessorState>;

type StackRegister = StateView['xsave']['st'][number];

/** What a block leaves. */
export interface BlockEnd {
	/** A `Stop`. */
	readonly stop: number;
	readonly state: Uint8Array;
	readonly ram: Uint8Array;
}

/** TOP in the status word of the x87. */
const topShift = 11;
const pageBytes = 4096;
/** Pages of RAM: four tables, then those of the window, then the one of the code. */
const tables = 4;
const windowPage = Math.floor(windowAddress / pageBytes);
const codePage = Math.floor(codeAddress / pageBytes);
const pages = new Map([windowPage, windowPage + 1, codePage].map((page, index) => [page, tables + index]));
const ramBytes = 0x1_0000;
const filler = 0xcc;
/** Present, writable, for user mode, accessed, dirty. */
const entryBits = 0x67n;
/** 64-bit code and data of privilege 3, present and accessed. */
const userCode = {base: 0n, selector: 0x33, limit: 0xffff_ffff, attributes: 0xa0fb};
const userData = {base: 0n, selector: 0, limit: 0xffff_ffff, attributes: 0xc0f3};
const userStack = {...userData, selector: 0x2b};
/** CR0: PE, MP, ET, NE, WP, PG; CR4: PAE, OSFXSR, OSXMMEXCPT, OSXSAVE; EFER: SCE, LME, LMA, NXE; XCR0: x87, SSE, AVX. The tables begin at 0. */
const registers = {cr0: 0x8001_0033n, cr3: 0n, cr4: 0x4_0620n, efer: 0xd01n, xcr0: 7n};
/** More instructions than a case has, and elements of its strings. */
const budget = 1000;

/** User mode reaches nothing outside. */
const nowhere: Outside = {
	readPort: () => 0xff,
	writePort: () => {},
	cpuid: announcing(),
	counter: () => 0n,
	moveCounter: () => {},
	random: () => 0n,
	readMsr: () => 0n,
	writeMsr: () => true,
	readPriority: () => 0,
	writePriority: () => {},
	hypercall: () => undefined,
};

/** Finds half of an XMM register among the lanes of registers of 256 bits; that of an upper half is two behind it. */
const laneAt = (lane: number): number => (lane >> 1) * 4 + (lane & 1);

const breakpoint = 3;
const undefinedOpcode = 6;
const generalProtection = 13;

/** The software processor in 64-bit user mode, with the memory that the cases of the silicon oracle have. */
export class UserModeProcessor {
	readonly #processor: Processor;
	readonly #ram: Uint8Array;
	/** After a trap, which leaves RIP behind its instruction. */
	#nextRip: bigint | undefined;

	constructor() {
		const {ram, memory, shared} = loneMemory(ramBytes);
		this.#ram = ram;
		const nothing = {read: () => 0xffff_ffff, write: () => {}};
		this.#processor = new Processor(memory, shared, 0, nothing, nowhere);
		this.#processor.reset(0, false);
		this.#mapPages();
		const {state} = this.#processor.core;
		Object.assign(state, registers);
		for (const [index, segment] of state.segments.entries())
			Object.assign(segment, index === 1 ? userCode : index === 2 ? userStack : userData);
		// No gate is open to user mode.
		state.idtr.limit = 0;
		this.#processor.changed();
	}

	/** Runs the case's instruction from the state before, and writes the state after. */
	run({before, code}: ViewOf<typeof CaseRecord>, after: StateView): void {
		this.#load(before, code);
		const {core} = this.#processor;
		const {state} = core;
		const start = Number(before.rip & 0xfffn);
		core.forgetCode();
		this.#nextRip = undefined;
		const page = this.#ram.slice(this.#at(codePage), this.#at(codePage) + pageBytes);
		const stop = core.run(core.write(core.decode(page, start, {limit: 1})));
		const isDone = stop === Stop.lookup || (stop === Stop.system && this.#carryOut(page));
		if (!isDone && stop !== Stop.fault && stop !== Stop.system) throw new Error(`the case ended by ${stop}`);
		const isFault = !isDone || this.#isNowhere(state.rip);
		after.vector = isFault ? state.vector : noVector;
		after.errorCode = isFault ? state.errorCode : 0;
		after.cr2 = state.cr2;
		after.rip = this.#nextRip ?? (isFault ? state.codePageOffset + BigInt(core.startOf(state.record)) : state.rip);
		after.gpr.set(state.general);
		after.rflags = BigInt(flagsOf(state));
		after.xsave.$bytes.set(before.xsave.$bytes);
		after.xsave.mxcsr = state.mxcsr;
		for (let lane = 0; lane < 32; lane++) {
			after.xsave.xmm[lane] = state.vector256[laneAt(lane)] as bigint;
			after.xsave.ymmHigh[lane] = state.vector256[laneAt(lane) + 2] as bigint;
		}
		this.#storeX87(after.xsave);
		after.memory.set(this.#ram.subarray(this.#window, this.#window + windowBytes));
	}

	/** Loads a case's state and instructions that follow each other, and gives the record of the block that they are. */
	prepare(before: StateView, code: Uint8Array): number {
		this.#load(before, code);
		const {core} = this.#processor;
		const page = this.#ram.slice(this.#at(codePage), this.#at(codePage) + pageBytes);
		return core.write(core.decode(page, codeAddress % pageBytes, {end: (codeAddress % pageBytes) + code.length}));
	}

	/** Forgets the records of all blocks. */
	forgetCode(): void {
		this.#processor.core.forgetCode();
	}

	/** The steps of a block. */
	stepsOf(record: number): readonly KnownStep[] {
		return readBlock(this.#processor.core.memory, record);
	}

	/** Makes functions of blocks. */
	translate(blocks: readonly (readonly KnownStep[])[]): readonly Translation[] {
		return Object.values(this.#processor.core.instantiate(compile(buildRegions(blocks.map(loneRegion)))));
	}

	/**
	 * Runs the block of a record by the interpreter, until the TLB has all it can have, and then by its translation.
	 * @returns what each has left
	 */
	runBoth(record: number, translated: Translation): readonly [BlockEnd, BlockEnd] {
		const {core} = this.#processor;
		const state = core.save();
		const ram = this.#ram.slice();
		const end = (run: () => number): BlockEnd => {
			core.restoreAll(state);
			this.#ram.set(ram);
			const stop = core.withoutJumps(run);
			// What is counted for people goes on.
			const left = core.save().fill(0, withinSteps.begin, withinSteps.end).fill(0, CpuState.offset('instructions'));
			return {stop, state: left, ram: this.#ram.slice()};
		};
		end(() => core.run(record));
		return [end(() => core.run(record)), end(() => core.runTranslation(record, translated))];
	}

	/** True when nothing is at a place that the case has gone to. */
	#isNowhere(rip: bigint): boolean {
		if (this.#processor.mmu.fetch(Number(BigInt.asIntN(32, rip)), Number(BigInt.asIntN(32, rip >> 32n))) !== undefined)
			return false;
		this.#nextRip = rip;
		return true;
	}

	/** Has the processor carry out what the interpreter leaves to TypeScript; false for what user mode must not, or what is no instruction. */
	#carryOut(page: Uint8Array): boolean {
		const {core} = this.#processor;
		const {state} = core;
		const start = core.startOf(state.record);
		const instruction = decode(page.subarray(start), start);
		state.errorCode = 0;
		if (instruction === 'undefined') state.vector = undefinedOpcode;
		else if (typeof instruction === 'string') state.vector = generalProtection;
		else if (instruction.name === 'int3') {
			state.vector = breakpoint;
			this.#nextRip = state.codePageOffset + BigInt(start + instruction.length);
		} else if (systemInstructions[instruction.name] === undefined) state.vector = undefinedOpcode;
		else {
			try {
				systemInstructions[instruction.name]?.(this.#processor, instruction);
				state.rip = state.codePageOffset + BigInt(start + instruction.length);
				return true;
			} catch (error) {
				if (!(error instanceof GuestFault)) throw error;
				state.vector = error.vector;
				state.errorCode = error.errorCode ?? 0;
			}
		}
		return false;
	}

	#load({gpr, rflags, xsave, memory}: StateView, code: Uint8Array): void {
		const {state} = this.#processor.core;
		state.mxcsr = xsave.mxcsr;
		for (let lane = 0; lane < 32; lane++) {
			state.vector256[laneAt(lane)] = xsave.xmm[lane] as bigint;
			state.vector256[laneAt(lane) + 2] = xsave.ymmHigh[lane] as bigint;
		}
		this.#loadX87(xsave);
		state.general.set(gpr);
		setFlags(state, Number(rflags));
		state.budget = budget;
		state.stop = 0;
		state.codePage = state.codePageOffset = BigInt(codePage * pageBytes);
		this.#ram.fill(filler, tables * pageBytes, (tables + pages.size) * pageBytes);
		this.#ram.set(memory, this.#window);
		this.#ram.set(code, this.#at(codePage) + (codeAddress % pageBytes));
	}

	#loadX87({fcw, fsw, ftw, st}: StateView['xsave']): void {
		const {state} = this.#processor.core;
		Object.assign(state, {x87Control: fcw, x87Status: fsw, x87Tags: ftw});
		for (const [index, {significand, signExponent}] of st.entries())
			Object.assign(this.#stackRegister(index), {significand, signExponent});
	}

	#storeX87(area: StateView['xsave']): void {
		const {x87Control, x87Status, x87Tags} = this.#processor.core.state;
		Object.assign(area, {fcw: x87Control, fsw: x87Status, ftw: x87Tags});
		for (const [index, register] of area.st.entries()) {
			const {significand, signExponent} = this.#stackRegister(index);
			Object.assign(register, {significand, signExponent});
		}
	}

	#stackRegister(index: number): StackRegister {
		const {x87, x87Status} = this.#processor.core.state;
		return x87[((x87Status >> topShift) + index) & 7] as StackRegister;
	}

	/** Gives the offset of a page in RAM. */
	#at(page: number): number {
		return (pages.get(page) as number) * pageBytes;
	}

	get #window(): number {
		return this.#at(windowPage) + (windowAddress % pageBytes);
	}

	/** One table of each level does for pages that lie in the same 2 MiB; others have a table of the last level of their own. */
	#mapPages(): void {
		const entries = new BigUint64Array(this.#ram.buffer);
		const set = (table: number, index: number, page: number) => {
			entries[table * 512 + index] = BigInt(page * pageBytes) | entryBits;
		};
		set(0, 0, 1);
		set(1, windowPage >> 18, 2);
		for (const [page, place] of pages) {
			// Both regions are within one GiB, in different 2 MiB: the second table of the last level is the RAM's last page.
			const table = page === codePage ? tables + pages.size : 3;
			set(2, (page >> 9) & 511, table);
			set(table, page & 511, place);
		}
	}
}
