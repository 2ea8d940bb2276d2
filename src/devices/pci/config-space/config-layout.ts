import {Header, Status} from './registers.ts';

/** Configuration space of one function that a guest may address. */
export const configBytes = 0x1000;
/** What of it can hold anything: header, capabilities, and the first extended ones. The rest reads zero. */
export const keptBytes = 0x200;

const firstCapability = 0x40;
const firstExtended = 0x100;

/** What the bits of a register are; all others hold their value for ever. */
export interface RegisterBits {
	/** At reset. */
	readonly value?: number;
	/** Bits that hold what the guest writes. */
	readonly writable?: number;
	/** Bits that the device sets and the guest clears by writing ones. */
	readonly clearable?: number;
	/** Bits that the device alone changes. */
	readonly live?: number;
}

/** Configuration space as data: values at reset, and who may change which bit. */
export class ConfigLayout {
	/** Values at reset, read-only bits included. */
	readonly initial = new Uint8Array(keptBytes);
	readonly writable = new Uint8Array(keptBytes);
	readonly clearable = new Uint8Array(keptBytes);
	/** Bits that are state: those above and the device's own. */
	readonly mutable = new Uint8Array(keptBytes);
	#lastPointer: number = Header.CAPABILITIES;
	#next = firstCapability;
	#lastExtended: number | undefined;
	#nextExtended = firstExtended;

	/** Declares a register of 1, 2 or 4 bytes. */
	register(offset: number, size: 1 | 2 | 4, {value = 0, writable = 0, clearable = 0, live = 0}: RegisterBits): void {
		for (let i = 0; i < size; i++) {
			const at = offset + i;
			const byte = (bits: number) => (bits >>> (8 * i)) & 0xff;
			this.initial[at] = byte(value);
			this.writable[at] = byte(writable);
			this.clearable[at] = byte(clearable);
			this.mutable[at] = byte(writable | clearable | live);
		}
	}

	/** Adds a capability to the list (PCI 3.0, 6.7) and tells where it lies. Its first two bytes are taken. */
	capability(id: number, length: number): number {
		const at = this.#next;
		if (at + length > firstExtended) throw new RangeError('the capabilities do not fit into configuration space');
		this.#next = (at + length + 3) & ~3;
		this.initial[this.#lastPointer] = at;
		this.#lastPointer = at + 1;
		this.initial[at] = id;
		this.initial[Header.STATUS] = (this.initial[Header.STATUS] ?? 0) | Status.CAPABILITIES;
		return at;
	}

	/** Adds an extended capability (PCI Express Base 6.0, 7.6.3) and tells where it lies. Its first four bytes are taken. */
	extendedCapability(id: number, version: number, length: number): number {
		const at = this.#nextExtended;
		if (at + length > keptBytes) throw new RangeError('the extended capabilities do not fit into configuration space');
		this.#nextExtended = (at + length + 3) & ~3;
		this.register(at, 2, {value: id});
		this.register(at + 2, 2, {value: version});
		const last = this.#lastExtended;
		// Bits 4–15 of a header's upper half are the next one's offset.
		if (last !== undefined) this.register(last + 2, 2, {value: (this.initial[last + 2] as number) | (at << 4)});
		this.#lastExtended = at;
		return at;
	}
}
