import type {Fields, GuestFields, Wire} from './wire.ts';

/** Part of guest memory that a {@link GuestReader} needs. */
export interface CopiesOut {
	/** Copies `length` bytes at guest-physical `gpa` to `offset` in `target`; false when they are not all memory. */
	copyOut(gpa: number, target: Uint8Array, offset: number, length: number): boolean;
	/** Copies as many words of 32 bits from guest-physical `gpa` on as `target` has; false when they are not all memory. */
	copyWordsOut(gpa: number, target: Int32Array): boolean;
}

/**
 * Reads structs that a guest wrote: each is copied once into memory that the guest does not reach, so that what was checked does
 * not change. The copy is reused: it holds until the next {@link load}.
 */
export class GuestReader<T extends Fields> {
	readonly #memory: CopiesOut;
	readonly #copy: GuestFields<T>;
	readonly #bytes: Uint8Array;
	/** The same memory, where it is whole words: these are faster to copy. */
	readonly #words: Int32Array | undefined;

	constructor(layout: Wire<T>, memory: CopiesOut) {
		this.#memory = memory;
		const buffer = new ArrayBuffer(layout.byteLength);
		const view = layout.on(buffer);
		this.#bytes = view.$bytes;
		this.#words = layout.size % 4 === 0 ? new Int32Array(buffer, 0, layout.size / 4) : undefined;
		this.#copy = view as unknown as GuestFields<T>;
	}

	/** The struct at `gpa`, or undefined where there is no memory. */
	load(gpa: number): GuestFields<T> | undefined {
		const isThere =
			this.#words === undefined
				? this.#memory.copyOut(gpa, this.#bytes, 0, this.#bytes.length)
				: this.#memory.copyWordsOut(gpa, this.#words);
		return isThere ? this.#copy : undefined;
	}
}
