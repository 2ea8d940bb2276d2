import type {Core} from '#vcpu-worker/software/interpreter';
import {isCanonicalAddress, type Mmu} from '#vcpu-worker/software/mmu';
import {
	Attribute,
	CS,
	type Descriptor,
	descriptorOf,
	dplOf,
	Efer,
	Flag,
	GuestFault,
	generalProtection,
	hasRealSegments,
	isCode,
	isPresent,
	isSystem,
	privilegeOf,
	SS,
	SystemType,
	typeOf,
	Vector,
} from '#vcpu-worker/software/system/registers';

const LDTR = 6;
const TR = 7;
/** Bits of a selector (SDM volume 3, 3.4.2). */
const tableIndicator = 4;
const requestedPrivilege = 3;
/** Present, data that can be written, accessed. */
const realCodeType = 0x93;

/** Segment registers and their descriptors, in 64-bit mode and compatibility mode (SDM volume 3, 3.4 and 5.2). */
export class Segments {
	readonly #core: Core;
	readonly #mmu: Mmu;

	constructor(core: Core, mmu: Mmu) {
		this.#core = core;
		this.#mmu = mmu;
	}

	/** The bytes of a selector's descriptor. @throws GuestFault where the table does not have it */
	read(selector: number, vector: number = Vector.generalProtection): bigint {
		return this.#readAt(this.#place(selector, 8, vector), 8);
	}

	/** So, but undefined where the selector is null or the table does not have it. */
	find(selector: number): bigint | undefined {
		const isNull = (selector & ~requestedPrivilege) === 0;
		if (isNull || (selector | 7) > this.#tableOf(selector).limit) return undefined;
		return this.read(selector);
	}

	/** Reads the descriptor of an LDT or TSS, which has 16 bytes in long mode. */
	readSystem(
		selector: number,
		vector: number = Vector.generalProtection,
	): {readonly descriptor: Descriptor; readonly place: bigint; readonly low: bigint} {
		const place = this.#place(selector, this.#hasLongTables ? 16 : 8, vector);
		const low = this.#readAt(place, 8);
		const descriptor = descriptorOf(low);
		const high = this.#hasLongTables ? this.#readAt(place + 8n, 8) : 0n;
		const base = descriptor.base | ((high & 0xffff_ffffn) << 32n);
		if (this.#hasLongTables && !isCanonicalAddress(base, this.#mmu.mode.levels))
			throw generalProtection(selector & ~requestedPrivilege);
		return {descriptor: {...descriptor, base}, place, low};
	}

	get #hasLongTables(): boolean {
		return (Number(this.#core.state.efer) & Efer.LMA) !== 0;
	}

	/** Loads ES, SS, DS, FS or GS as MOV and POP do (SDM volume 2, MOV); a vector else is that of a task switch. */
	load(segment: number, selector: number, vector: number = Vector.generalProtection): void {
		if (hasRealSegments(this.#core)) {
			this.setReal(segment, selector);
			return;
		}
		const privilege = privilegeOf(this.#core);
		if ((selector & ~requestedPrivilege) === 0) {
			// SS may be null in 64-bit mode below privilege 3 only.
			if (segment === SS && !(this.#mmu.isLong && privilege < 3 && (selector & 3) === privilege))
				throw new GuestFault(vector);
			this.set(segment, selector, {
				base: this.#mmu.isLong && segment < 4 ? 0n : this.#baseOf(segment),
				limit: 0,
				attributes: 0,
			});
			return;
		}
		const index = selector & ~requestedPrivilege;
		const place = this.#place(selector, 8, vector);
		const value = this.#readAt(place, 8);
		const descriptor = descriptorOf(value);
		const {attributes} = descriptor;
		const rpl = selector & requestedPrivilege;
		if (isSystem(descriptor)) throw new GuestFault(vector, index);
		if (segment === SS) {
			if (
				isCode(descriptor) ||
				(attributes & Attribute.writable) === 0 ||
				rpl !== privilege ||
				dplOf(descriptor) !== privilege
			)
				throw new GuestFault(vector, index);
			if (!isPresent(descriptor)) throw new GuestFault(Vector.stackFault, index);
		} else {
			const isConforming = isCode(descriptor) && (attributes & Attribute.conforming) !== 0;
			if (isCode(descriptor) && (attributes & Attribute.readable) === 0) throw new GuestFault(vector, index);
			if (!isConforming && (rpl > dplOf(descriptor) || privilege > dplOf(descriptor)))
				throw new GuestFault(vector, index);
			if (!isPresent(descriptor)) throw new GuestFault(Vector.segmentNotPresent, index);
		}
		this.#markAccessed(place, value);
		// 64-bit code does not look at the bases of ES and DS, but code of other modes finds them later.
		const isFlat = this.#mmu.isLong && segment === SS;
		this.set(segment, selector, {
			...descriptor,
			attributes: attributes | Attribute.accessed,
			...(isFlat && {base: 0n}),
		});
	}

	/**
	 * Loads CS for a far transfer, an interrupt or a return.
	 * @param check - throws where the privileges do not fit
	 * @param vector - of the exception where it is no code
	 */
	loadCode(
		selector: number,
		newPrivilege: number,
		check: (descriptor: Descriptor) => void,
		vector: number = Vector.generalProtection,
	): void {
		const index = selector & ~requestedPrivilege;
		if (index === 0) throw new GuestFault(vector);
		const place = this.#place(selector, 8, vector);
		const value = this.#readAt(place, 8);
		const descriptor = descriptorOf(value);
		const {attributes} = descriptor;
		if (!isCode(descriptor) || ((attributes & Attribute.long) !== 0 && (attributes & Attribute.big) !== 0))
			throw new GuestFault(vector, index);
		check(descriptor);
		if (!isPresent(descriptor)) throw new GuestFault(Vector.segmentNotPresent, index);
		this.#markAccessed(place, value);
		const isLong = (attributes & Attribute.long) !== 0;
		this.set(CS, index | newPrivilege, {
			...descriptor,
			attributes: attributes | Attribute.accessed,
			...(isLong && {base: 0n}),
		});
	}

	/**
	 * Loads a register as the 8086 does. Limit and attributes stay as they are (SDM volume 3, 20.1.1), but CS can be written to like
	 * after a reset (table 9-1).
	 */
	setReal(segment: number, selector: number): void {
		const register = this.#core.state.segments[segment];
		if (register === undefined) return;
		register.selector = selector;
		register.base = BigInt(selector << 4);
		const isVirtual = (this.#core.state.controlFlags & Flag.VM) !== 0;
		if (segment === CS && !isVirtual) register.attributes = (register.attributes & ~0xff) | realCodeType;
	}

	/** LLDT: a null selector makes the table unusable. */
	loadLdt(selector: number, vector: number = Vector.generalProtection): void {
		if ((selector & ~requestedPrivilege) === 0) {
			this.set(LDTR, selector, {base: 0n, limit: 0, attributes: 0});
			return;
		}
		if ((selector & tableIndicator) !== 0) throw new GuestFault(vector, selector & ~requestedPrivilege);
		const {descriptor} = this.readSystem(selector, vector);
		if (!isSystem(descriptor) || typeOf(descriptor) !== SystemType.ldt)
			throw new GuestFault(vector, selector & ~requestedPrivilege);
		if (!isPresent(descriptor))
			throw new GuestFault(
				vector === Vector.invalidTss ? vector : Vector.segmentNotPresent,
				selector & ~requestedPrivilege,
			);
		this.set(LDTR, selector, descriptor);
	}

	/** LTR, which marks the task busy. */
	loadTask(selector: number): void {
		const index = selector & ~requestedPrivilege;
		if (index === 0 || (selector & tableIndicator) !== 0) throw generalProtection(index);
		const {descriptor, place, low} = this.readSystem(selector);
		const isAvailable =
			typeOf(descriptor) === SystemType.availableTss ||
			(!this.#hasLongTables && typeOf(descriptor) === SystemType.availableTss16);
		if (!isSystem(descriptor) || !isAvailable) throw generalProtection(index);
		if (!isPresent(descriptor)) throw new GuestFault(Vector.segmentNotPresent, index);
		this.#writeAt(place, low | (2n << 40n));
		this.set(TR, selector, {...descriptor, attributes: descriptor.attributes | 2});
	}

	/** Where the descriptor of the present task is; undefined where its table does not have it. */
	taskPlace(selector: number): bigint | undefined {
		const {gdtr} = this.#core.state;
		return (selector | 7) > gdtr.limit ? undefined : gdtr.base + BigInt(selector & ~7);
	}

	/** Sets or clears the bit of a TSS's descriptor that tells that the task is under way. */
	setBusy(place: bigint, isBusy: boolean): void {
		const value = this.#readAt(place, 8);
		this.#writeAt(place, isBusy ? value | (2n << 40n) : value & ~(2n << 40n));
	}

	set(segment: number, selector: number, {base, limit, attributes}: Descriptor): void {
		const state = this.#core.state.segments[segment];
		if (state === undefined) throw new RangeError(`segment register ${segment}`);
		state.selector = selector;
		state.base = base;
		state.limit = limit;
		state.attributes = attributes;
	}

	#baseOf(segment: number): bigint {
		return this.#core.state.segments[segment]?.base ?? 0n;
	}

	/** The GDT or the LDT; of the latter no byte is there while it has no descriptor. */
	#tableOf(selector: number): {readonly base: bigint; readonly limit: number} {
		const {gdtr, segments} = this.#core.state;
		const ldtr = segments[LDTR];
		if ((selector & tableIndicator) === 0 || ldtr === undefined) return gdtr;
		return (ldtr.attributes & Attribute.present) === 0 ? {base: 0n, limit: -1} : ldtr;
	}

	#place(selector: number, bytes: number, vector: number): bigint {
		const table = this.#tableOf(selector);
		const offset = selector & ~7;
		if (offset + bytes - 1 > table.limit) throw new GuestFault(vector, selector & ~requestedPrivilege);
		return table.base + BigInt(offset);
	}

	#readAt(address: bigint, bytes: number): bigint {
		const value = this.#mmu.readSystem(address, bytes);
		if (value === undefined) throw new GuestFault(this.#core.state.vector, this.#core.state.errorCode);
		return value;
	}

	#writeAt(address: bigint, value: bigint): void {
		if (!this.#mmu.writeSystem(address, 8, value))
			throw new GuestFault(this.#core.state.vector, this.#core.state.errorCode);
	}

	#markAccessed(place: bigint, value: bigint): void {
		if ((value & (1n << 40n)) === 0n) this.#writeAt(place, value | (1n << 40n));
	}
}
