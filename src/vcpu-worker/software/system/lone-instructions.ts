import {decode, type Instruction, RecordWord} from '#vcpu-worker/software/decode';
import {type CodePage, Core} from '#vcpu-worker/software/interpreter';
import type {Mmu, PhysicalMemory} from '#vcpu-worker/software/mmu';
import {CpuState} from '#vcpu-worker/software/state';
import {systemInstructions} from '#vcpu-worker/software/system/instructions';
import {CS, codeSizeOf, GuestFault, generalProtection, invalidOpcode} from '#vcpu-worker/software/system/registers';

/** Longest instruction in bytes. */
const maxLength = 15;
const pageBytes = 4096;

/** An instruction across the end of a page, and the bytes that it was decoded from. */
interface Crossing {
	/** Its record, while those of `Core.codeEpoch` are what they are. */
	readonly record: number;
	readonly epoch: number;
	readonly bytes: Uint8Array;
	/** The instruction, or the records that are its own. */
	readonly instruction: Instruction | number;
	/** Where its pages are; undefined where that is to be found out anew. */
	pages: Pages | undefined;
}

/** Where the pages of an instruction are, as long as translations that code goes by are what they are. */
interface Pages {
	/** Linear address of the first, and the mode that fetches. */
	readonly low: number;
	readonly high: number;
	readonly modeKey: number;
	/** Places in RAM; -1 for none. */
	readonly first: number;
	readonly second: number;
	/** What is known of both outlasts loads of CR3. */
	readonly areLasting: boolean;
	/** `Core.globalEpoch`, or `Core.jumpsEpoch` of the mode for others. */
	readonly epoch: number;
}

const codePage = CpuState.offset('codePage') / 4;

/** Reads instructions that are in no block: across the end of a page, and those that are executed one by one. */
export class LoneInstructions {
	readonly #core: Core;
	readonly #mmu: Mmu;
	readonly #memory: PhysicalMemory;
	/** Instructions across the end of a page, by their slot, which their records have as `c`. Slot 0 is of instructions without one. */
	readonly #crossings: (Crossing | undefined)[] = [];
	/** The slot that was given away last, and whose each is. */
	#lastSlot = 0;
	readonly #owners: number[] = [];
	/** The bytes of the last instruction. */
	readonly #bytes = new Uint8Array(maxLength);

	constructor(core: Core, mmu: Mmu, memory: PhysicalMemory) {
		this.#core = core;
		this.#mmu = mmu;
		this.#memory = memory;
	}

	/** The instruction at a linear address; the records of one that is not for TypeScript. @throws GuestFault */
	at(linear: bigint): Instruction | number {
		return this.#decode(linear, Number(linear & 0xfffn), 0);
	}

	/**
	 * The instruction of a record that ends in the next page, if it is one. Of 64-bit code, which no limit ends, it is known from the last
	 * time, as long as its bytes are the same.
	 * @throws GuestFault
	 */
	across(record: number): Instruction | number {
		const core = this.#core;
		const start = core.startOf(record);
		const slot = this.#slotOf(record);
		const known = this.#crossingOf(record);
		if (known !== undefined) {
			known.pages = this.#pagesNow(known.pages);
			if (this.#hasBytes(known.pages, start, known.bytes)) return known.instruction;
		}
		this.#crossings[slot] = undefined;
		const instruction = this.#decode(core.state.codePage + BigInt(start), start, slot);
		const length = typeof instruction === 'number' ? core.nextOf(instruction) - start : instruction.length;
		if (start + length > pageBytes && codeSizeOf(core) === 64) {
			const bytes = this.#bytes.slice(0, length);
			this.#crossings[slot] = {record, epoch: core.codeEpoch, bytes, instruction, pages: undefined};
		}
		return instruction;
	}

	/** See `Core.across`. */
	readonly known = (record: number): number => {
		const known = this.#crossingOf(record);
		if (known?.pages === undefined || typeof known.instruction !== 'number' || !this.#areNow(known.pages)) return 0;
		return this.#hasBytes(known.pages, this.#core.startOf(record), known.bytes) ? known.instruction : 0;
	};

	/** The slot of a record: what had it longest gives one to a new one, so that none takes another's time and again where there are enough. */
	#slotOf(record: number): number {
		const {words} = this.#core;
		const own = words[record / 4 + RecordWord.c] as number;
		if (this.#owners[own] === record) return own;
		const slot = (this.#lastSlot % (Core.slots - 1)) + 1;
		this.#lastSlot = slot;
		this.#owners[slot] = record;
		words[record / 4 + RecordWord.c] = slot;
		return slot;
	}

	#crossingOf(record: number): Crossing | undefined {
		const known = this.#crossings[this.#core.words[record / 4 + RecordWord.c] as number];
		return known?.record === record && known.epoch === this.#core.codeEpoch ? known : undefined;
	}

	/** Tells whether these are the page that is executed and the one behind it, where they were. */
	#areNow({low, high, modeKey, areLasting, epoch}: Pages): boolean {
		const core = this.#core;
		if (core.words[codePage] !== low || core.words[codePage + 1] !== high || core.state.modeKey !== modeKey)
			return false;
		return epoch === (areLasting ? core.globalEpoch : core.jumpsEpoch);
	}

	/** Where the page that is executed and the one behind it are. @throws GuestFault */
	#pagesNow(known: Pages | undefined): Pages {
		if (known !== undefined && this.#areNow(known)) return known;
		const core = this.#core;
		const [low, high] = [core.words[codePage] as number, core.words[codePage + 1] as number];
		const {modeKey} = core.state;
		const next = (low + pageBytes) | 0;
		const first = this.#fetch(low, high);
		const second = this.#fetch(next, next === 0 ? (high + 1) | 0 : high);
		const areLasting = core.outlastsLoads(first.isGlobal && second.isGlobal);
		const epoch = areLasting ? core.globalEpoch : core.jumpsEpoch;
		const places = {first: this.#memory.placeOf(first.page), second: this.#memory.placeOf(second.page)};
		return {low, high, modeKey, ...places, areLasting, epoch};
	}

	/** Tells whether code from an offset in the first page on still is these bytes. */
	#hasBytes({first, second}: Pages, start: number, bytes: Uint8Array): boolean {
		const inFirst = pageBytes - start;
		const [memory, length] = [this.#memory, bytes.length];
		if (first < 0 || second < 0) return false;
		return memory.has(first + start, bytes, 0, inFirst) && memory.has(second, bytes, inFirst, length);
	}

	/** Translates for a fetch, of which the cache of blocks is told, so that what forgets the page forgets this. @throws GuestFault */
	#fetch(low: number, high: number): CodePage {
		const core = this.#core;
		const translation = this.#mmu.fetch(low, high);
		if (translation === undefined) throw new GuestFault(core.state.vector, core.state.errorCode);
		core.rememberPage(low, high, translation);
		return translation;
	}

	/** @param slot - see `Core.decodeAlone` */
	#decode(linear: bigint, start: number, slot: number): Instruction | number {
		const core = this.#core;
		const codeSize = codeSizeOf(core);
		const room = Math.min(maxLength, this.#codeBehind(linear));
		const bytes = this.#bytes.subarray(0, room);
		const inPage = Math.min(room, pageBytes - start);
		this.#readCode(linear, bytes.subarray(0, inPage));
		let instruction = decode(bytes.subarray(0, inPage), start, codeSize, core.announced);
		if (instruction === 'truncated' && inPage < room) {
			this.#readCode(linear + BigInt(inPage), bytes.subarray(inPage));
			instruction = decode(bytes, start, codeSize, core.announced);
		}
		if (instruction === 'undefined') throw invalidOpcode();
		if (typeof instruction === 'string') throw generalProtection();
		if (systemInstructions[instruction.name] !== undefined) return instruction;
		const alone = core.decodeAlone(bytes, start, codeSize, slot);
		if (alone === undefined) throw invalidOpcode();
		return alone;
	}

	/** Bytes of the code segment from a linear address on: more than an instruction has where there is no limit. */
	#codeBehind(linear: bigint): number {
		const {base = 0n, limit = 0} = this.#core.state.segments[CS] ?? {};
		if (codeSizeOf(this.#core) === 64) return maxLength;
		return Math.max(0, limit + 1 - Number(BigInt.asUintN(32, linear - base)));
	}

	/** Reads bytes of code that are in one page. @throws GuestFault */
	#readCode(linear: bigint, bytes: Uint8Array): void {
		const {state} = this.#core;
		const at = BigInt.asUintN(codeSizeOf(this.#core) === 64 ? 64 : 32, linear);
		const low = Number(BigInt.asIntN(32, at));
		const translation = this.#mmu.fetch(low, Number(BigInt.asIntN(32, at >> 32n)));
		if (translation === undefined) throw new GuestFault(state.vector, state.errorCode);
		const offset = low & (pageBytes - 1);
		const source = this.#memory.page(translation.page);
		if (source === undefined) throw generalProtection();
		bytes.set(source.subarray(offset, offset + bytes.length));
	}
}
