import type {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu} from '#vcpu-worker/software/mmu';
import {
	Attribute,
	applyMode,
	Cr0,
	CS,
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
/** Without switches of tasks there are at most five. */
const maxDeliveries = 64;
/** A gate of long mode in bytes. */
const gateBytes = 16;
/** Error codes that name a gate: bit 1 (SDM volume 3, 6.13). */
const inTable = 2;
/** Offsets in the 64-bit TSS (SDM volume 3, figure 8-11). */
const tss = {rsp0: 4, ist1: 0x24} as const;

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
			else this.#deliverLong(vector, errorCode, cause);
		} catch (error) {
			throw error instanceof GuestFault && cause === 'hardware' ? error.asExternal() : error;
		}
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
			const values = [BigInt(oldSs), state.general[4] as bigint, BigInt(flagsOf(state)), BigInt(oldCs), state.rip];
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
