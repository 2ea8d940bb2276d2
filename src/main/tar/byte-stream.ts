/** Bytes that come in pieces of any length, taken in pieces of the lengths that a format has. */
export class ByteStream {
	readonly #pieces: AsyncIterator<Uint8Array>;
	#piece: Uint8Array = new Uint8Array();

	constructor(pieces: AsyncIterable<Uint8Array>) {
		this.#pieces = pieces[Symbol.asyncIterator]();
	}

	/** Takes up to `most` bytes as they are at hand: none at the end. */
	async some(most: number): Promise<Uint8Array> {
		while (this.#piece.length === 0) {
			const {value, done} = await this.#pieces.next();
			if (done === true) return this.#piece;
			this.#piece = value;
		}
		const taken = this.#piece.subarray(0, most);
		this.#piece = this.#piece.subarray(taken.length);
		return taken;
	}

	/** Takes `length` bytes: fewer at the end. */
	async all(length: number): Promise<Uint8Array> {
		const first = await this.some(length);
		if (first.length === length) return first;
		const taken = [first];
		let missing = length - first.length;
		while (missing > 0) {
			const next = await this.some(missing);
			if (next.length === 0) break;
			taken.push(next);
			missing -= next.length;
		}
		return Buffer.concat(taken);
	}

	/** Takes no more: whoever makes the pieces may stop. */
	async close(): Promise<void> {
		await this.#pieces.return?.();
	}
}

/** All the bytes of what comes in pieces. */
export async function gather(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
	const taken: Uint8Array[] = [];
	for await (const piece of pieces) taken.push(piece);
	return Buffer.concat(taken);
}
