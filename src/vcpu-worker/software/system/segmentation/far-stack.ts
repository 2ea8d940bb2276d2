import {Attribute, codeSizeOf, GuestFault, privilegeOf, SS, Vector} from '#vcpu-worker/software/system/registers';
import type {InterruptParts} from './interrupt-parts.ts';

/** The stack as far transfers and interrupts see it, beginning at the present pointer, within the limit of SS (SDM volume 3, 5.3). */
export class FarStack {
	readonly #parts: InterruptParts;
	readonly #bytes: number;
	readonly #is64: boolean;
	readonly #base: bigint;
	readonly #mask: bigint;
	/** Lowest and highest offset. */
	readonly #first: bigint;
	readonly #last: bigint;
	readonly #errorCode: number;
	#pointer: bigint;

	/**
	 * @param bytes - of a value
	 * @param errorCode - of the exception beyond the limit
	 */
	constructor(parts: InterruptParts, bytes: number, errorCode = 0) {
		const {state} = parts.core;
		const {base = 0n, limit = 0, attributes = 0} = state.segments[SS] ?? {};
		const isBig = (attributes & Attribute.big) !== 0;
		this.#parts = parts;
		this.#bytes = bytes;
		this.#errorCode = errorCode;
		this.#is64 = codeSizeOf(parts.core) === 64;
		this.#mask = this.#is64 ? 2n ** 64n - 1n : isBig ? 0xffff_ffffn : 0xffffn;
		this.#base = base;
		const isDown = (attributes & (Attribute.code | Attribute.expandDown)) === Attribute.expandDown;
		this.#first = isDown ? BigInt(limit) + 1n : 0n;
		this.#last = isDown ? (isBig ? 0xffff_ffffn : 0xffffn) : BigInt(limit);
		this.#pointer = (state.general[4] as bigint) & this.#mask;
	}

	pop(): bigint {
		const {core, mmu} = this.#parts;
		const value = mmu.readSystem(this.#linear(this.#pointer), this.#bytes, privilegeOf(core) === 3);
		if (value === undefined) throw this.#fault();
		this.drop(BigInt(this.#bytes));
		return value;
	}

	push(...values: readonly bigint[]): void {
		const {core, mmu} = this.#parts;
		for (const value of values) {
			const next = (this.#pointer - BigInt(this.#bytes)) & this.#mask;
			const bits = BigInt.asUintN(this.#bytes * 8, value);
			if (!mmu.writeSystem(this.#linear(next), this.#bytes, bits, privilegeOf(core) === 3)) throw this.#fault();
			this.#pointer = next;
		}
	}

	drop(bytes: bigint): void {
		this.#pointer = (this.#pointer + bytes) & this.#mask;
	}

	#linear(offset: bigint): bigint {
		if (this.#is64) return offset;
		if (offset < this.#first || offset + BigInt(this.#bytes) - 1n > this.#last)
			throw new GuestFault(Vector.stackFault, this.#errorCode);
		return (this.#base + offset) & 0xffff_ffffn;
	}

	/** An address that is not canonical is a matter of the stack. */
	#fault(): GuestFault {
		const {vector, errorCode} = this.#parts.core.state;
		return vector === Vector.generalProtection
			? new GuestFault(Vector.stackFault, this.#errorCode)
			: new GuestFault(vector, errorCode);
	}

	/** Makes the pointer RSP, of which bits outside of the stack's size stay. */
	commit(): void {
		const {state} = this.#parts.core;
		state.general[4] = ((state.general[4] as bigint) & ~this.#mask) | this.#pointer;
	}
}
