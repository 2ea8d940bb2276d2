/** Bytes of a module as they come to be, with the numbers of WebAssembly's binary format (LEB128; core specification, 5.2). */
export class ByteWriter {
	#bytes = new Uint8Array(256);
	length = 0;

	/** A view that the next byte written makes stale. */
	get bytes(): Uint8Array {
		return this.#bytes.subarray(0, this.length);
	}

	byte(value: number): void {
		this.#reserve(1);
		this.#bytes[this.length++] = value;
	}

	append(bytes: ArrayLike<number>): void {
		this.#reserve(bytes.length);
		this.#bytes.set(bytes, this.length);
		this.length += bytes.length;
	}

	/** An unsigned number below 2^53. */
	unsigned(value: number): void {
		for (let rest = value; ; ) {
			const low = rest % 128;
			rest = Math.floor(rest / 128);
			this.byte(rest === 0 ? low : low | 0x80);
			if (rest === 0) return;
		}
	}

	/** A signed 32-bit number. */
	signed(value: number): void {
		for (let rest = value | 0; ; ) {
			const low = rest & 0x7f;
			rest >>= 7;
			const isLast = rest === (low << 25) >> 31;
			this.byte(isLast ? low : low | 0x80);
			if (isLast) return;
		}
	}

	/** A signed 64-bit number; larger ones are taken modulo 2^64. */
	signed64(value: bigint): void {
		const whole = BigInt.asIntN(64, value);
		// Most numbers are small, and big integers slow.
		if (whole >= -0x8000_0000n && whole <= 0x7fff_ffffn) {
			this.signed(Number(whole));
			return;
		}
		for (let rest = whole; ; ) {
			const low = Number(rest & 0x7fn);
			rest >>= 7n;
			const isLast = rest === (low & 0x40 ? -1n : 0n);
			this.byte(isLast ? low : low | 0x80);
			if (isLast) return;
		}
	}

	/** A name: its length in bytes and its UTF-8. */
	name(value: string): void {
		this.sized(new TextEncoder().encode(value));
	}

	/** A length and as many bytes. */
	sized(bytes: Uint8Array): void {
		this.unsigned(bytes.length);
		this.append(bytes);
	}

	#reserve(count: number): void {
		if (this.length + count <= this.#bytes.length) return;
		const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + count));
		larger.set(this.bytes);
		this.#bytes = larger;
	}
}
