import type {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu} from '#vcpu-worker/software/mmu';
import {CpuState, generalAt, SegmentState, segmentBaseAt, TableState} from '#vcpu-worker/software/state';
import {
	Attribute,
	applyMode,
	applyPrivilege,
	Cr0,
	CS,
	codeSizeOf,
	dplOf,
	Efer,
	Flag,
	flagsOf,
	GuestFault,
	generalProtection,
	isDoubleFault,
	privilegeOf,
	SS,
	SystemType,
	Vector,
} from '#vcpu-worker/software/system/registers';
import type {InterruptParts, Segments} from '#vcpu-worker/software/system/segmentation';
import {type Cause, deliverProtected, deliverReal} from './legacy-interrupts.ts';

const TR = 7;
const attributesAt = (segment: number): number => segmentBaseAt(segment) + SegmentState.offset('attributes');
/** Without switches of tasks there are at most five. */
const maxDeliveries = 64;
/** A gate of long mode in bytes. */
const gateBytes = 16;
/** Error codes that name a gate: bit 1 (SDM volume 3, 6.13). */
const inTable = 2;
/** Offsets in the 64-bit TSS (SDM volume 3, figure 8-11). */
const tss = {rsp0: 4, ist1: 0x24} as const;

/** Words of the state: bases of tables and of the task-state segment, which have limits behind them, attributes with selectors above, registers. */
const Word = {
	...{gdtr: CpuState.offset('gdtr') / 4, idtr: CpuState.offset('idtr') / 4, task: segmentBaseAt(TR) / 4},
	...{cs: attributesAt(CS) / 4, ss: attributesAt(SS) / 4, rsp: generalAt(4) / 4, rip: CpuState.offset('rip') / 4},
} as const;
/** From the base on, in words; the same of tables and segments. */
const tableLimit = TableState.offset('limit') / 4;
/** Gates that are present, with their types. */
const flatGate = {interrupt: 0x8e, trap: 0x8f} as const;
/** The descriptor of flat code of 64 bits with privilege 0, present and accessed, and its attributes (SDM volume 3, 3.4.5). */
const flatCode = {low: 0x0000_ffff, high: 0x00af_9b00} as const;
const flatAttributes = 0xa09b;

/** Gives CS or SS attributes and a selector, and a base of 0; a limit only where it is not null. */
function setWords(words: Int32Array, at: number, attributes: number): void {
	words[at] = attributes;
	words[at - 1] = attributes === 0 ? 0 : -1;
	words[at - 2] = 0;
	words[at - 3] = 0;
}

/** Delivers interrupts and exceptions, and returns from them; here in long mode (SDM volume 3, 6.14). */
export class Interrupts {
	/** A non-maskable interrupt is being handled: the next one waits for IRET. */
	isNmiBlocked = false;
	readonly #core: Core;
	readonly #mmu: Mmu;
	readonly #segments: Segments;
	readonly #parts: InterruptParts;

	constructor(parts: InterruptParts) {
		this.#core = parts.core;
		this.#mmu = parts.mmu;
		this.#segments = parts.segments;
		this.#parts = parts;
	}

	/**
	 * Delivers an exception, and those that come meanwhile. Tasks whose switches have debug exceptions, which lead to such tasks, have no
	 * end: after so many that is one.
	 * @returns false where the last one is a triple fault
	 */
	raise(fault: GuestFault): boolean {
		let current = fault;
		for (let delivery = 0; delivery < maxDeliveries; delivery++) {
			try {
				this.#parts.debug.beginDelivery();
				this.deliver(current.vector, current.errorCode, 'hardware');
				this.#parts.debug.endDelivery();
				return true;
			} catch (error) {
				if (!(error instanceof GuestFault)) throw error;
				if (current.isException && current.vector === Vector.doubleFault) return false;
				current = isDoubleFault(current, error) ? new GuestFault(Vector.doubleFault) : error;
			}
		}
		return false;
	}

	/** Enters the handler of a vector; RIP is where it returns to. @throws GuestFault with nothing changed */
	deliver(vector: number, errorCode: number | undefined, cause: Cause): void {
		const {state} = this.#core;
		try {
			if ((Number(state.cr0) & Cr0.PE) === 0) deliverReal(this.#parts, vector);
			else if ((Number(state.efer) & Efer.LMA) === 0) deliverProtected(this.#parts, vector, errorCode, cause);
			else if (!this.#deliverFlat(vector, errorCode, cause)) this.#deliverLong(vector, errorCode, cause);
		} catch (error) {
			throw error instanceof GuestFault && cause === 'hardware' ? error.asExternal() : error;
		}
	}

	/**
	 * The usual case, without a number of 64 bits: from 64-bit code with privilege 0 or 3 to a handler with privilege 0 and a flat segment, by
	 * descriptors, a task-state segment and a stack frame that each lie in one page of RAM.
	 * @returns false, having done nothing, in all other cases
	 */
	#deliverFlat(vector: number, errorCode: number | undefined, cause: Cause): boolean {
		const core = this.#core;
		const {state, words} = core;
		const {memory} = this.#mmu;
		const privilege = privilegeOf(core);
		if (codeSizeOf(core) !== 64 || (privilege !== 0 && privilege !== 3)) return false;
		const gate = this.#tablePlace(Word.idtr, vector * gateBytes, gateBytes);
		if (gate < 0) return false;
		const [low, middle] = [memory.readInt(gate), memory.readInt(gate + 4)];
		const type = (middle >>> 8) & 0x9f;
		if (type !== flatGate.interrupt && type !== flatGate.trap) return false;
		if (cause === 'software' && ((middle >>> 13) & 3) < privilege) return false;
		const selector = (low >>> 16) & ~3;
		const descriptor = (selector & 4) !== 0 || selector === 0 ? -1 : this.#tablePlace(Word.gdtr, selector, 8);
		if (descriptor < 0) return false;
		if (memory.readInt(descriptor) !== flatCode.low || memory.readInt(descriptor + 4) !== flatCode.high) return false;
		const ist = middle & 7;
		let [stackLow, stackHigh] = [words[Word.rsp] as number, words[Word.rsp + 1] as number];
		if (ist !== 0 || privilege !== 0) {
			const offset = ist === 0 ? tss.rsp0 : tss.ist1 + (ist - 1) * 8;
			const pointer = this.#tablePlace(Word.task, offset, 8);
			if (pointer < 0) return false;
			stackLow = memory.readInt(pointer);
			stackHigh = memory.readInt(pointer + 4);
		}
		const bytes = errorCode === undefined ? 40 : 48;
		const top = stackLow & ~15;
		if (top >>> 0 < bytes) return false;
		const frame = this.#mmu.systemPlace((top - bytes) | 0, stackHigh, bytes, 'write');
		if (frame < 0 || frame % 8 !== 0) return false;
		const target = memory.readInt(gate + 8);
		// From the highest address on, as they are pushed.
		const end = frame + bytes;
		memory.writeHalves(end - 8, (words[Word.ss] as number) >>> 16, 0);
		memory.writeHalves(end - 16, words[Word.rsp] as number, words[Word.rsp + 1] as number);
		memory.writeHalves(end - 24, flagsOf(state), 0);
		memory.writeHalves(end - 32, (words[Word.cs] as number) >>> 16, 0);
		memory.writeHalves(end - 40, words[Word.rip] as number, words[Word.rip + 1] as number);
		if (errorCode !== undefined) memory.writeHalves(frame, errorCode, 0);
		setWords(words, Word.cs, flatAttributes | (selector << 16));
		if (privilege !== 0) setWords(words, Word.ss, 0);
		words[Word.rsp] = (top - bytes) | 0;
		words[Word.rsp + 1] = stackHigh;
		words[Word.rip] = (low & 0xffff) | (middle & 0xffff_0000);
		words[Word.rip + 1] = target;
		const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | (type === flatGate.interrupt ? Flag.IF : 0);
		state.controlFlags = (state.controlFlags & ~cleared) >>> 0;
		applyPrivilege(core);
		return true;
	}

	/** Place in RAM of bytes of a table, or of the task-state segment, aligned to words; -1 where they are not, or not all in one page of RAM. */
	#tablePlace(register: number, offset: number, bytes: number): number {
		const {words} = this.#core;
		if (offset + bytes - 1 > (words[register + tableLimit] as number) >>> 0) return -1;
		const start = ((words[register] as number) >>> 0) + offset;
		if (start >= 2 ** 32) return -1;
		const place = this.#mmu.systemPlace(start | 0, words[register + 1] as number, bytes, 'read');
		return place % 4 === 0 ? place : -1;
	}

	#deliverLong(vector: number, errorCode: number | undefined, cause: Cause): void {
		const {state} = this.#core;
		const gateError = (vector << 3) | inTable;
		if (vector * gateBytes + gateBytes - 1 > state.idtr.limit) throw generalProtection(gateError);
		const place = state.idtr.base + BigInt(vector * gateBytes);
		const low = this.#read(place, 8);
		const high = this.#read(place + 8n, 8);
		const attributes = Number((low >> 40n) & 0xffn);
		const type = attributes & 0x1f;
		if (type !== SystemType.interruptGate && type !== SystemType.trapGate) throw generalProtection(gateError);
		const privilege = privilegeOf(this.#core);
		if (cause === 'software' && ((attributes >> 5) & 3) < privilege) throw generalProtection(gateError);
		if ((attributes & Attribute.present) === 0) throw new GuestFault(Vector.segmentNotPresent, gateError);
		const target = (low & 0xffffn) | ((low >> 32n) & 0xffff_0000n) | ((high & 0xffff_ffffn) << 32n);
		const selector = Number((low >> 16n) & 0xffffn);
		const [oldCs, oldSs] = [state.segments[CS]?.selector ?? 0, state.segments[SS]?.selector ?? 0];
		// Offsets in a segment around whose end its base leads have more bits than that has.
		const from = BigInt.asUintN(codeSizeOf(this.#core) === 64 ? 64 : 32, state.rip);
		const saved = this.#core.save();
		try {
			let newPrivilege = privilege;
			this.#segments.loadCode(selector, privilege, (descriptor) => {
				const dpl = dplOf(descriptor);
				if (dpl > privilege || (descriptor.attributes & Attribute.long) === 0) throw generalProtection(selector & ~3);
				if ((descriptor.attributes & Attribute.conforming) === 0) newPrivilege = dpl;
			});
			const cs = state.segments[CS];
			if (cs !== undefined) cs.selector = (selector & ~3) | newPrivilege;
			const rsp = this.#stackFor(Number((low >> 32n) & 7n), privilege, newPrivilege);
			const values = [BigInt(oldSs), state.general[4] as bigint, BigInt(flagsOf(state)), BigInt(oldCs), from];
			if (errorCode !== undefined) values.push(BigInt(errorCode));
			let top = rsp & ~15n;
			for (const value of values) {
				top = BigInt.asUintN(64, top - 8n);
				if (!this.#mmu.writeSystem(top, 8, value)) throw this.#stackFault();
			}
			if (newPrivilege !== privilege) this.#segments.set(SS, newPrivilege, {base: 0n, limit: 0, attributes: 0});
			state.general[4] = top;
			state.rip = target;
			const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | (type === SystemType.interruptGate ? Flag.IF : 0);
			state.controlFlags = (state.controlFlags & ~cleared) >>> 0;
			applyMode(this.#core, this.#mmu);
		} catch (error) {
			this.#core.restore(saved);
			throw error;
		}
	}

	#stackFor(ist: number, privilege: number, newPrivilege: number): bigint {
		const {state} = this.#core;
		if (ist === 0 && newPrivilege === privilege) return state.general[4] as bigint;
		const task = state.segments[TR];
		const offset = ist === 0 ? tss.rsp0 + newPrivilege * 8 : tss.ist1 + (ist - 1) * 8;
		if (task === undefined || offset + 7 > task.limit)
			throw new GuestFault(Vector.invalidTss, (task?.selector ?? 0) & ~3);
		return this.#read(task.base + BigInt(offset), 8);
	}

	#read(address: bigint, bytes: number): bigint {
		const value = this.#mmu.readSystem(address, bytes);
		if (value === undefined) throw this.#pageFault();
		return value;
	}

	/** A stack that is nowhere is a matter of the stack; a page that is missing one of paging. */
	#stackFault(): GuestFault {
		return this.#core.state.vector === Vector.generalProtection ? new GuestFault(Vector.stackFault) : this.#pageFault();
	}

	#pageFault(): GuestFault {
		return new GuestFault(this.#core.state.vector, this.#core.state.errorCode);
	}
}
