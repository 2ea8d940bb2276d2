import {decode, type Instruction} from '#vcpu-worker/software/decode';
import {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu, PhysicalMemory} from '#vcpu-worker/software/mmu';
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
}

/** Reads instructions that are in no block: across the end of a page, and those that are executed one by one. */
export class LoneInstructions {
	readonly #core: Core;
	readonly #mmu: Mmu;
	readonly #memory: PhysicalMemory;
	/** Instructions across the end of a page, by their slot. */
	readonly #crossings: (Crossing | undefined)[] = [];
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
		const {codePage} = core.state;
		const start = core.startOf(record);
		const slot = Core.slotOf(record);
		const known = this.#crossings[slot];
		if (known !== undefined && known.record === record && known.epoch === core.codeEpoch) {
			const {bytes} = known;
			const now = this.#bytes.subarray(0, bytes.length);
			const inPage = pageBytes - start;
			this.#readCode(codePage + BigInt(start), now.subarray(0, inPage));
			this.#readCode(codePage + BigInt(pageBytes), now.subarray(inPage));
			if (bytes.every((byte, index) => byte === now[index])) return known.instruction;
		}
		this.#crossings[slot] = undefined;
		const instruction = this.#decode(codePage + BigInt(start), start, slot);
		const length = typeof instruction === 'number' ? core.nextOf(instruction) - start : instruction.length;
		if (start + length > pageBytes && codeSizeOf(core) === 64)
			this.#crossings[slot] = {record, epoch: core.codeEpoch, bytes: this.#bytes.slice(0, length), instruction};
		return instruction;
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
