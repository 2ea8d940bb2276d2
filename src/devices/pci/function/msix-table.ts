import type {AccessSize} from '#devices/device';
import type {MsixPlace} from '#devices/pci/config-space';

const entryBytes = 16;
/** Offsets in an entry. */
const [addressUpper, data, control] = [4, 8, 12];
const masked = 1;

/** Bytes of a table for so many vectors. */
export const tableBytes = (vectors: number): number => vectors * entryBytes;
/** Bytes of the pending bits, which are read in units of eight. */
export const pendingBytes = (vectors: number): number => Math.ceil(vectors / 64) * 8;

const isBetween = (offset: number, start: number, length: number) => offset >= start && offset < start + length;

/** True for an offset of their BAR that lies in the table of so many vectors or in its pending bits. */
export const tableHolds = (place: MsixPlace, vectors: number, offset: number): boolean =>
	isBetween(offset, place.table, tableBytes(vectors)) || isBetween(offset, place.pending, pendingBytes(vectors));

/** Bits of an entry that exist: addresses are multiples of 4, the control word has one bit. */
const writable = Uint8Array.of(0xfc, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, masked, 0, 0, 0);

/** MSI-X table and pending bits of one function, in shared state, as the guest reaches them through a BAR. */
export class MsixTable {
	/** Number of vectors. */
	readonly entries: number;
	readonly #entries: Uint8Array;
	readonly #view: DataView;
	readonly #pending: Uint8Array;
	readonly #place: MsixPlace;

	/** @param place - where in its BAR the guest finds both */
	constructor(entries: Uint8Array, pending: Uint8Array, place: MsixPlace) {
		this.entries = entries.length / entryBytes;
		this.#entries = entries;
		this.#view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
		this.#pending = pending;
		this.#place = place;
	}

	/** Every vector masked, nothing pending. */
	reset(): void {
		this.#entries.fill(0);
		for (let at = control; at < this.#entries.length; at += entryBytes) this.#entries[at] = masked;
		this.#pending.fill(0);
	}

	/** True when the access of the BAR begins in the table or the pending bits. */
	holds(offset: number): boolean {
		return tableHolds(this.#place, this.entries, offset);
	}

	/** Bytes behind either read zero. */
	read(offset: number, size: AccessSize): number {
		let value = 0;
		for (let i = 0; i < size; i++) {
			const [entry, pending] = [this.#tableByte(offset + i), this.#pendingByte(offset + i)];
			const byte = entry >= 0 ? this.#entries[entry] : pending >= 0 ? this.#pending[pending] : 0;
			value += (byte as number) * 2 ** (8 * i);
		}
		return value;
	}

	/** Pending bits cannot be written. */
	write(offset: number, size: AccessSize, value: number): void {
		for (let i = 0; i < size; i++) {
			const at = this.#tableByte(offset + i);
			if (at >= 0) this.#entries[at] = (value >>> (8 * i)) & (writable[at % entryBytes] as number);
		}
	}

	/** Every vector has an entry of its own. */
	entry(vector: number): number {
		return vector;
	}

	isMasked(vector: number): boolean {
		return ((this.#entries[vector * entryBytes + control] as number) & masked) !== 0;
	}

	addressLow(vector: number): number {
		return this.#view.getUint32(vector * entryBytes, true);
	}

	addressHigh(vector: number): number {
		return this.#view.getUint32(vector * entryBytes + addressUpper, true);
	}

	data(vector: number): number {
		return this.#view.getUint32(vector * entryBytes + data, true);
	}

	isPending(vector: number): boolean {
		return ((this.#pending[vector >>> 3] as number) & (1 << (vector & 7))) !== 0;
	}

	setPending(vector: number): void {
		Atomics.or(this.#pending, vector >>> 3, 1 << (vector & 7));
	}

	/** True for whoever of several threads is the one that sends what was pending. */
	takePending(vector: number): boolean {
		const bit = 1 << (vector & 7);
		return (Atomics.and(this.#pending, vector >>> 3, ~bit) & bit) !== 0;
	}

	/** Index of the table's byte at an offset of the BAR, or -1. */
	#tableByte(offset: number): number {
		const at = offset - this.#place.table;
		return at >= 0 && at < this.#entries.length ? at : -1;
	}

	#pendingByte(offset: number): number {
		const at = offset - this.#place.pending;
		return at >= 0 && at < this.#pending.length ? at : -1;
	}
}
