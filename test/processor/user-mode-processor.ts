import type {ViewOf} from '#support/wire';
import {
	type CaseRecord,
	codeAddress,
	noVector,
	type ProcessorState,
	Rflags,
	windowAddress,
	windowBytes,
} from '#test/silicon';
import {decode} from '#vcpu-worker/software/decode';
import {Core} from '#vcpu-worker/software/interpreter';
import {AccessClass, Mmu, PhysicalMemory, tlbOf} from '#vcpu-worker/software/mmu';
import {Stop} from '#vcpu-worker/software/state';

type StateView = ViewOf<typeof ProcessorState>;

/** Node's part of the JavaScript API of WebAssembly; its types come with DOM only. */
declare const WebAssembly: {
	readonly Memory: new (descriptor: object) => {readonly buffer: SharedArrayBuffer};
};

const pageBytes = 4096;
/** Pages of RAM: four tables, then those of the window, then the one of the code. */
const tables = 4;
const windowPage = Math.floor(windowAddress / pageBytes);
const codePage = Math.floor(codeAddress / pageBytes);
const pages = new Map([windowPage, windowPage + 1, codePage].map((page, index) => [page, tables + index]));
const filler = 0xcc;
/** Present, writable, for user mode, accessed, dirty. */
const entryBits = 0x67n;
const statusFlags = Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.OF;
/** TF, DF, NT, AC and ID: what POPF changes at privilege 3 with IOPL 0 (SDM volume 2, POPF). */
const poppable = 0x24_4500;
/** More instructions than a case has, and elements of its strings. */
const budget = 1000;

/** Finds half of an XMM register among the lanes of registers of 256 bits. */
const laneAt = (lane: number): number => (lane >> 1) * 4 + (lane & 1);

/** Vectors of exceptions (SDM volume 3, table 6-1). */
const breakpoint = 3;
const undefinedOpcode = 6;
const generalProtection = 13;
/** Instructions that fault at privilege 3, where IOPL is 0. */
const privileged = new Set(
	'hlt cli sti in out ins outs clts invd wbinvd wrmsr rdmsr movFromControl movFromDebug movToControl movToDebug'.split(
		' ',
	),
);

/** The software processor in 64-bit user mode, with the memory that the cases of the silicon oracle have. */
export class UserModeProcessor {
	readonly #core: Core;
	readonly #mmu: Mmu;
	readonly #ram: Uint8Array;
	/** After a trap, which leaves RIP behind its instruction. */
	#nextRip: bigint | undefined;

	constructor() {
		const memory = new WebAssembly.Memory({initial: 1n, maximum: 1n, shared: true, address: 'i64'});
		this.#ram = new Uint8Array(memory.buffer);
		this.#core = new Core(memory, (...access) => this.#mmu.access(...access));
		const physical = new PhysicalMemory(memory.buffer, [{gpa: 0, length: this.#ram.length, offset: 0}]);
		const nothing = {read: () => 0xffff_ffff, write: () => {}};
		this.#mmu = new Mmu(this.#core, physical, nothing, {hasCode: () => false, written: () => {}});
		this.#mmu.isLong = true;
		this.#mmu.mode = {
			...{levels: 4, root: 0, hasLargePages: true, protectsSupervisor: true},
			...{smep: false, smap: false, nx: true},
		};
		this.#mapPages();
		this.#core.state.tlb = tlbOf(AccessClass.user);
		this.#core.state.poppableFlags = poppable;
	}

	/** Runs the case's instruction from the state before, and writes the state after. */
	run({before, code}: ViewOf<typeof CaseRecord>, after: StateView): void {
		this.#load(before, code);
		const {state} = this.#core;
		const start = Number(before.rip & 0xfffn);
		this.#core.forgetCode();
		this.#nextRip = undefined;
		const page = this.#ram.slice(this.#at(codePage), this.#at(codePage) + pageBytes);
		const stop = this.#core.run(this.#core.decode(page, start, {limit: 1}));
		if (stop === Stop.system) this.#refuse(page);
		else if (stop !== Stop.lookup && stop !== Stop.fault) throw new Error(`the case ended by ${stop}`);
		const isFault = stop !== Stop.lookup || this.#isNowhere(state.rip);
		after.vector = isFault ? state.vector : noVector;
		after.errorCode = isFault ? state.errorCode : 0;
		after.cr2 = state.cr2;
		after.rip =
			this.#nextRip ?? (isFault ? state.codePageOffset + BigInt(this.#core.startOf(state.record)) : state.rip);
		after.gpr.set(state.general);
		after.rflags = BigInt(state.controlFlags | this.#statusFlags());
		// Of the x87, and the high halves of registers of 256 bits, no instruction is here.
		after.xsave.$bytes.set(before.xsave.$bytes);
		after.xsave.mxcsr = state.mxcsr;
		for (let lane = 0; lane < 32; lane++) after.xsave.xmm[lane] = state.vector256[laneAt(lane)] as bigint;
		after.memory.set(this.#ram.subarray(this.#window, this.#window + windowBytes));
	}

	/** True when nothing is at a place that the case has gone to. */
	#isNowhere(rip: bigint): boolean {
		if (this.#mmu.fetch(Number(BigInt.asIntN(32, rip)), Number(BigInt.asIntN(32, rip >> 32n))) !== undefined)
			return false;
		this.#nextRip = rip;
		return true;
	}

	/** Refuses what the interpreter leaves to TypeScript: it is not for user mode, or no instruction. */
	#refuse(page: Uint8Array): void {
		const {state} = this.#core;
		const start = this.#core.startOf(state.record);
		const instruction = decode(page.subarray(start), start);
		state.errorCode = 0;
		if (instruction === 'undefined') state.vector = undefinedOpcode;
		else if (instruction === 'tooLong' || typeof instruction === 'string') state.vector = generalProtection;
		else if (instruction.name === 'int3') {
			state.vector = breakpoint;
			this.#nextRip = state.codePageOffset + BigInt(start + instruction.length);
		} else if (privileged.has(instruction.name)) state.vector = generalProtection;
		else throw new Error(`user mode has no ${instruction.name}`);
	}

	#load({gpr, rflags, xsave, memory}: StateView, code: Uint8Array): void {
		const {state} = this.#core;
		state.mxcsr = xsave.mxcsr;
		for (let lane = 0; lane < 32; lane++) state.vector256[laneAt(lane)] = xsave.xmm[lane] as bigint;
		state.general.set(gpr);
		this.#setStatusFlags(Number(rflags));
		state.controlFlags = Number(rflags) & ~statusFlags;
		state.budget = budget;
		state.stop = 0;
		state.codePage = state.codePageOffset = BigInt(codePage * pageBytes);
		this.#ram.fill(filler, tables * pageBytes, (tables + pages.size) * pageBytes);
		this.#ram.set(memory, this.#window);
		this.#ram.set(code, this.#at(codePage) + (codeAddress % pageBytes));
	}

	#setStatusFlags(flags: number): void {
		const {state} = this.#core;
		const bit = (flag: number) => ((flags & flag) === 0 ? 0n : 1n);
		state.result = BigInt.asIntN(64, (bit(Rflags.SF) << 63n) | (bit(Rflags.PF) ^ 1n));
		state.zero = bit(Rflags.ZF) ^ 1n;
		const belowTop = bit(Rflags.CF) ^ bit(Rflags.OF);
		state.carry = BigInt.asIntN(64, (bit(Rflags.CF) << 63n) | (belowTop << 62n) | (bit(Rflags.AF) << 3n));
	}

	#statusFlags(): number {
		const {result, zero, carry} = this.#core.state;
		const low = Number(BigInt.asUintN(8, result));
		const isEven = low.toString(2).replaceAll('0', '').length % 2 === 0;
		const top = Number(BigInt.asUintN(64, carry) >> 62n);
		return (
			(top & 2 ? Rflags.CF : 0) |
			(isEven ? Rflags.PF : 0) |
			(carry & 8n ? Rflags.AF : 0) |
			(zero === 0n ? Rflags.ZF : 0) |
			(result < 0n ? Rflags.SF : 0) |
			(top === 1 || top === 2 ? Rflags.OF : 0)
		);
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
