/** A range of guest-physical addresses that is RAM. */
export interface RamRange {
	readonly gpa: number;
	readonly length: number;
	/** Offset in the memory that all of RAM is in. */
	readonly offset: number;
}

/** Guest RAM by physical address, for page walks, descriptors and fetches. */
export class PhysicalMemory {
	readonly #ranges: readonly RamRange[];
	readonly #buffer: SharedArrayBuffer;
	readonly #words: Int32Array;

	constructor(buffer: SharedArrayBuffer, ranges: readonly RamRange[]) {
		this.#buffer = buffer;
		this.#ranges = ranges;
		this.#words = new Int32Array(buffer);
	}

	/** Gives the offset of a physical address in RAM; -1 where it is none. */
	offsetOf(gpa: number): number {
		for (const range of this.#ranges) {
			const at = gpa - range.gpa;
			if (at >= 0 && at < range.length) return range.offset + at;
		}
		return -1;
	}

	/** A page's bytes; undefined where it is not RAM. */
	page(gpa: number): Uint8Array | undefined {
		const offset = this.offsetOf(gpa);
		return offset < 0 ? undefined : new Uint8Array(this.#buffer, offset, 4096);
	}

	/** The aligned 32-bit word there; all ones where it is not RAM, as an absent device reads. */
	word(gpa: number): number {
		const offset = this.offsetOf(gpa);
		return offset < 0 ? -1 : Atomics.load(this.#words, offset / 4);
	}

	/** Sets bits in the aligned word that was read as `expected`; false where another has changed it meanwhile. */
	setBits(gpa: number, expected: number, bits: number): boolean {
		const offset = this.offsetOf(gpa);
		if (offset < 0) return true;
		return Atomics.compareExchange(this.#words, offset / 4, expected, expected | bits) === expected;
	}

	/** Copies `length` bytes, at most to the end of the page. */
	read(offset: number, length: number, target: Uint8Array): void {
		target.set(new Uint8Array(this.#buffer, offset, length));
	}

	write(offset: number, source: Uint8Array): void {
		new Uint8Array(this.#buffer, offset, source.length).set(source);
	}
}
