import type {Fields, GuestFields, Wire} from './wire.ts';

/** Part of guest memory that a {@link GuestReader} needs. */
export interface CopiesOut {
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
	readonly #words: Int32Array;

	constructor(layout: Wire<T>, memory: CopiesOut) {
		this.#memory = memory;
		const view = layout.on(new ArrayBuffer(layout.byteLength));
		this.#words = view.$atomic;
		this.#copy = view as unknown as GuestFields<T>;
	}

	/** The struct at `gpa`, or undefined where there is no memory. */
	load(gpa: number): GuestFields<T> | undefined {
		return this.#memory.copyWordsOut(gpa, this.#words) ? this.#copy : undefined;
	}
}
