/** Pieces shorter than this are joined: what comes byte by byte takes no more memory than its bytes. */
const leastPiece = 4096;

/** Bytes for the guest that it has not acknowledged, in the pieces that they came in. */
export class SendQueue {
	#pieces: Uint8Array[] = [];
	/** Of the first piece: acknowledged already. */
	#gone = 0;
	#length = 0;

	get length(): number {
		return this.#length;
	}

	append(bytes: Uint8Array): void {
		if (bytes.length === 0) return;
		const last = this.#pieces.at(-1);
		if (last !== undefined && last.length + bytes.length <= leastPiece)
			this.#pieces[this.#pieces.length - 1] = Buffer.concat([last, bytes]);
		else this.#pieces.push(bytes);
		this.#length += bytes.length;
	}

	/** Copies `length` bytes from `offset` on, which are there. */
	copy(offset: number, length: number, target: Uint8Array, at: number): void {
		let skip = offset + this.#gone;
		let place = at;
		const end = at + length;
		for (const piece of this.#pieces) {
			if (place === end) return;
			if (skip >= piece.length) {
				skip -= piece.length;
				continue;
			}
			const part = piece.subarray(skip, skip + end - place);
			target.set(part, place);
			place += part.length;
			skip = 0;
		}
	}

	/** Forgets the first bytes, which are there. */
	release(length: number): void {
		this.#length -= length;
		this.#gone += length;
		let whole = 0;
		for (const piece of this.#pieces) {
			if (piece.length > this.#gone) break;
			this.#gone -= piece.length;
			whole++;
		}
		if (whole > 0) this.#pieces.splice(0, whole);
	}

	clear(): void {
		this.#pieces = [];
		this.#gone = this.#length = 0;
	}
}
