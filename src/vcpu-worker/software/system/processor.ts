import {decode, type Instruction} from '#vcpu-worker/software/decode';
import {Core} from '#vcpu-worker/software/interpreter';
import {type DeviceSpace, Mmu, type PhysicalMemory} from '#vcpu-worker/software/mmu';
import {Stop} from '#vcpu-worker/software/state';
import {CodeCache} from './code-cache.ts';
import {applyMode, applyPrivilege, CS, codeSizeOf, Flag} from './control-state.ts';
import {GuestFault, generalProtection, invalidOpcode} from './guest-fault.ts';
import {systemInstructions} from './instructions.ts';
import {Interrupts} from './interrupts.ts';
import {ModelRegisters} from './msrs.ts';
import type {Outside} from './outside.ts';
import type {Parts} from './parts.ts';
import {Segments} from './segments.ts';

/** Reason for a processor's stop. */
export type ProcessorStop =
	/** The budget is used up, or somebody has asked. */
	| 'polled'
	/** It waits for an interrupt. */
	| 'halted'
	/** A triple fault. */
	| 'shutdown'
	/** It is to take the interrupt that {@link Processor.windowWanted} waits for. */
	| 'window';

/** Longest instruction in bytes. */
const maxLength = 15;
const pageBytes = 4096;

/** One x86-64 processor: interpreter, memory management and system, on the thread that calls {@link run}. */
export class Processor {
	readonly core: Core;
	readonly mmu: Mmu;
	readonly msrs: ModelRegisters;
	readonly segments: Segments;
	readonly interrupts: Interrupts;
	/** Asks {@link run} to end as soon as the guest can take an interrupt. */
	windowWanted = false;
	readonly #code: CodeCache;
	readonly #parts: Parts;
	readonly #memory: PhysicalMemory;
	#isHalted = false;
	/** Interrupts stay away for one instruction. */
	#isShadowed = false;

	/**
	 * @param ram - the `WebAssembly.Memory` that all of RAM is in
	 * @param memory - the same by physical address
	 */
	constructor(ram: object, memory: PhysicalMemory, devices: DeviceSpace, outside: Outside) {
		this.#memory = memory;
		this.core = new Core(ram, (...access) => this.mmu.access(...access));
		this.#code = new CodeCache(this.core, memory, () => this.mmu.dropWritable());
		this.mmu = new Mmu(this.core, memory, devices, this.#code);
		this.msrs = new ModelRegisters(this.core);
		this.segments = new Segments(this.core, this.mmu);
		this.interrupts = new Interrupts(this.core, this.mmu, this.segments);
		const {core, mmu, segments, interrupts, msrs} = this;
		this.#parts = {core, mmu, segments, interrupts, msrs, outside};
	}

	/** True where the guest can take an interrupt now. */
	get canInterrupt(): boolean {
		return (this.core.state.controlFlags & Flag.IF) !== 0 && !this.#isShadowed;
	}

	get isHalted(): boolean {
		return this.#isHalted;
	}

	/** Control registers, segments or flags have been changed from outside. */
	changed(): void {
		applyMode(this.core, this.mmu);
		this.mmu.flush();
		this.core.forgetJumps();
	}

	/** Enters the handler of an interrupt from outside; false after a triple fault. */
	interrupt(vector: number): boolean {
		this.#isHalted = false;
		return this.interrupts.raise(new InterruptAsFault(vector));
	}

	/** Executes guest code, about `budget` instructions at most. */
	run(budget: number): ProcessorStop {
		const {state} = this.core;
		if (this.#isHalted) return 'halted';
		state.budget = budget;
		const end = this.#execute();
		state.instructions += BigInt(budget - state.budget);
		return end;
	}

	#execute(): ProcessorStop {
		const {state} = this.core;
		let record = 0;
		for (;;) {
			if (this.windowWanted && this.canInterrupt) return 'window';
			if (record === 0) {
				const found = this.#lookUp();
				if (found === undefined) return 'shutdown';
				if (found === 0) continue;
				record = found;
			}
			const stop = this.core.run(record);
			record = 0;
			this.#isShadowed = false;
			if (stop === Stop.poll) {
				if (state.request !== 0 || state.budget < 0) return 'polled';
			} else if (stop === Stop.fault) {
				if (!this.#fault(state.record)) return 'shutdown';
			} else if (stop === Stop.system) {
				const end = this.#system(state.record);
				if (end !== undefined) return end;
			}
		}
	}

	/** Finds the block at RIP; 0 after an exception, undefined after a triple fault. */
	#lookUp(): number | undefined {
		const {core} = this;
		const {state} = core;
		const codeSize = codeSizeOf(core);
		const {base = 0n, limit = 0} = state.segments[CS] ?? {};
		if (codeSize !== 64) {
			state.rip &= 0xffff_ffffn;
			if (state.rip > BigInt(limit)) return this.#raise(generalProtection()) ? 0 : undefined;
		}
		const linear = BigInt.asUintN(codeSize === 64 ? 64 : 32, state.rip + base);
		const low = Number(BigInt.asIntN(32, linear));
		const page = this.mmu.fetch(low, Number(BigInt.asIntN(32, linear >> 32n)));
		if (page === undefined) return this.#raise(new GuestFault(state.vector, state.errorCode)) ? 0 : undefined;
		const record = this.#code.block(page, low & (pageBytes - 1), codeSize);
		// Code in device memory: there is none that a processor could execute again and again.
		if (record === undefined) return this.#raise(generalProtection()) ? 0 : undefined;
		state.codePage = linear & ~0xfffn;
		state.codePageOffset = BigInt.asUintN(64, state.codePage - base);
		core.remember(linear, record);
		return record;
	}

	#fault(record: number): boolean {
		const {state} = this.core;
		state.rip = state.codePageOffset + BigInt(this.core.startOf(record));
		state.budget -= this.core.ordinalOf(record) - 1;
		state.stop = 0;
		return this.#raise(new GuestFault(state.vector, state.errorCode));
	}

	#raise(fault: GuestFault): boolean {
		return this.interrupts.raise(fault);
	}

	/** Carries out an instruction that the interpreter leaves to TypeScript. */
	#system(record: number): ProcessorStop | undefined {
		const {core} = this;
		const {state} = core;
		state.exits++;
		const start = core.startOf(record);
		const rip = state.codePageOffset + BigInt(start);
		state.rip = rip;
		state.budget -= core.ordinalOf(record);
		try {
			const instruction = this.#instruction(state.codePage + BigInt(start), start);
			if (instruction === 'crossing') return undefined;
			const handler = systemInstructions[instruction.name];
			if (handler === undefined) throw invalidOpcode();
			const size = codeSizeOf(core);
			state.rip = BigInt.asUintN(size === 64 ? 64 : 32, rip + BigInt(instruction.length));
			const after = handler(this.#parts, instruction);
			applyPrivilege(core);
			this.#isShadowed = after === 'shadow';
			if (after !== 'halt') return undefined;
			this.#isHalted = true;
			return 'halted';
		} catch (error) {
			if (!(error instanceof GuestFault)) throw error;
			state.rip = rip;
			return this.#raise(error) ? undefined : 'shutdown';
		}
	}

	/** Decodes the instruction of a record, also one that ends in the next page: that is executed here, from both pages' bytes. */
	#instruction(linear: bigint, start: number): Instruction | 'crossing' {
		const {core} = this;
		const bytes = new Uint8Array(maxLength);
		let length = 0;
		for (; length < maxLength; length++) {
			const at = BigInt.asUintN(64, linear + BigInt(length));
			const low = Number(BigInt.asIntN(32, at));
			const page = this.mmu.fetch(low, Number(BigInt.asIntN(32, at >> 32n)));
			const byte = page === undefined ? undefined : this.#memory.page(page)?.[low & (pageBytes - 1)];
			if (byte === undefined) break;
			bytes[length] = byte;
		}
		const instruction = decode(bytes.subarray(0, length), start, codeSizeOf(core));
		if (instruction === 'truncated') throw new GuestFault(core.state.vector, core.state.errorCode);
		if (instruction === 'tooLong') throw generalProtection();
		if (instruction === 'undefined') throw invalidOpcode();
		if (systemInstructions[instruction.name] !== undefined) return instruction;
		const crossing = core.decodeAlone(bytes, start, codeSizeOf(core));
		if (crossing === undefined) throw invalidOpcode();
		const stop = core.run(crossing);
		if (stop === Stop.fault) throw new GuestFault(core.state.vector, core.state.errorCode);
		return 'crossing';
	}
}

/** An interrupt from outside is delivered as an exception without an error code, whatever its vector. */
class InterruptAsFault extends GuestFault {
	override readonly errorCode = undefined;
}
