import type {Fields, GuestFields, Wire} from './wire.ts';

/** Part of guest memory that a {@link GuestReader} needs. */
export interface CopiesOut {
	/** Copies `length` bytes at guest-physical `gpa` to `offset` in `target`; false when they are not all memory. */
	copyOut(gpa: number, target: Uint8Array, offset: number, length: number): boolean;
}

/**
 * Reads structs that a guest wrote: each is copied once into memory that the guest does not reach, so that what was checked does
 * not change. The copy is reused: it holds until the next {@link load}.
 */
export class GuestReader<T extends Fields> {
	readonly #memory: CopiesOut;
	readonly #copy: GuestFields<T>;
	readonly #bytes: Uint8Array;

	constructor(layout: Wire<T>, memory: CopiesOut) {
		this.#memory = memory;
		const view = layout.on(new ArrayBuffer(layout.byteLength));
		this.#bytes = view.$bytes;
		this.#copy = view as unknown as GuestFields<T>;
	}

	/** The struct at `gpa`, or undefined where there is no memory. */
	load(gpa: number): GuestFields<T> | undefined {
		return this.#memory.copyOut(gpa, this.#bytes, 0, this.#bytes.length) ? this.#copy : undefined;
	}
}
