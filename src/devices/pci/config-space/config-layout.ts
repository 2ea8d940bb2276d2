import {errorTable} from '#support/errors';
import {Header, Status} from './registers.ts';

const layoutError = errorTable({
	PCI_CAPABILITY_NO_ROOM: (c: {owner: string; id: number; cause: string}) => ({
		message: `The capability 0x${c.id.toString(16)} of ${c.owner} has no place in configuration space: ${c.cause}`,
		remedy:
			'Capabilities lie at multiples of 4 from 0x40 to 0xff, extended ones from 0x100 to 0xfff: leave the place to the platform',
	}),
});

/** Configuration space of one function that a guest may address. */
export const configBytes = 0x1000;
/**
 * Length of the part that holds anything in most functions: header, capabilities, and the first extended ones. The rest reads
 * zero.
 */
export const keptBytes = 0x200;

/** Offset of the extended capabilities, at which one of them has to lie. */
export const firstExtended = 0x100;
/** Room for capabilities and extended capabilities. */
const room = {capabilities: [0x40, firstExtended], extended: [firstExtended, configBytes]} as const;
/** All capabilities begin at multiples of it. */
const alignment = 4;

/** Kinds of a register's bits; all others hold their value for ever. */
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
	readonly initial: Uint8Array;
	readonly writable: Uint8Array;
	readonly clearable: Uint8Array;
	/** Bits that are state: those above and the device's own. */
	readonly mutable: Uint8Array;
	readonly #taken: (readonly [start: number, end: number])[] = [];
	#lastPointer: number = Header.CAPABILITIES;
	#lastExtended: number | undefined;

	readonly #owner: string;

	/**
	 * @param owner - the kind of device, for errors
	 * @param length - how many bytes hold anything; the rest reads zero
	 */
	constructor(owner: string, length: number = keptBytes) {
		this.#owner = owner;
		this.initial = new Uint8Array(length);
		this.writable = new Uint8Array(length);
		this.clearable = new Uint8Array(length);
		this.mutable = new Uint8Array(length);
	}

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

	/**
	 * Adds a capability to the list (PCI 3.0, 6.7) and tells where it lies. Its first two bytes are taken.
	 * @param wanted - where it has to lie; else where there is room
	 * @throws VmmError PCI_CAPABILITY_NO_ROOM
	 */
	capability(id: number, length: number, wanted?: number): number {
		const at = this.#place('capabilities', id, length, wanted);
		this.initial[this.#lastPointer] = at;
		this.#lastPointer = at + 1;
		this.initial[at] = id;
		this.initial[Header.STATUS] = (this.initial[Header.STATUS] ?? 0) | Status.CAPABILITIES;
		return at;
	}

	/**
	 * Adds an extended capability (PCI Express Base 6.0, 7.6.3) and tells where it lies. Its first four bytes are taken.
	 * @param wanted - where it has to lie; else where there is room. The list begins at 0x100
	 * @throws VmmError PCI_CAPABILITY_NO_ROOM
	 */
	extendedCapability(id: number, version: number, length: number, wanted?: number): number {
		const isFirst = this.#lastExtended === undefined;
		const at = this.#place('extended', id, length, wanted ?? (isFirst ? firstExtended : undefined));
		if (isFirst && at !== firstExtended) throw this.#noRoom(id, 'the first of the extended ones lies at 0x100');
		this.register(at, 2, {value: id});
		this.register(at + 2, 2, {value: version});
		const last = this.#lastExtended;
		// Bits 4–15 of a header's upper half are the next one's offset.
		if (last !== undefined) this.register(last + 2, 2, {value: (this.initial[last + 2] as number) | (at << 4)});
		this.#lastExtended = at;
		return at;
	}

	#place(where: keyof typeof room, id: number, length: number, wanted: number | undefined): number {
		const [first, limit] = room[where];
		const end = Math.min(limit, this.initial.length);
		const inTheWay = (at: number) => this.#taken.find(([start, stop]) => start < at + length && at < stop);
		let at = wanted ?? first;
		if (!(at >= first && at % alignment === 0)) throw this.#noRoom(id, `0x${at.toString(16)} is no place for it`);
		for (let other = inTheWay(at); other !== undefined; other = inTheWay(at)) {
			if (wanted !== undefined) throw this.#noRoom(id, `it overlaps the capability at 0x${other[0].toString(16)}`);
			at = Math.ceil(other[1] / alignment) * alignment;
		}
		if (at + length > end) throw this.#noRoom(id, `it would end at ${at + length}, and there are ${end} bytes`);
		this.#taken.push([at, at + length]);
		return at;
	}

	#noRoom(id: number, cause: string) {
		return layoutError('PCI_CAPABILITY_NO_ROOM', {owner: this.#owner, id, cause});
	}
}
