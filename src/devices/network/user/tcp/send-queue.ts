import type {Chunk} from './chunks.ts';

/** Pieces shorter than this are joined: what comes byte by byte takes no more memory than its bytes. */
const leastPiece = 4096;

interface Piece {
	readonly bytes: Uint8Array;
	/** Holds them, unless they are memory of their own. */
	readonly chunk: Chunk | undefined;
}

/** Bytes that somebody has not taken, in the pieces that they came in. */
export class SendQueue {
	#pieces: Piece[] = [];
	/** Of the first piece: taken already. */
	#gone = 0;
	#length = 0;

	get length(): number {
		return this.#length;
	}

	get pieces(): number {
		return this.#pieces.length;
	}

	/** Adds bytes, which stay as they are. @param chunk - holds them, and is given back when they have gone */
	append(bytes: Uint8Array, chunk?: Chunk): void {
		const last = this.#pieces.at(-1);
		if (last === undefined || last.chunk !== undefined || last.bytes.length + bytes.length > leastPiece) {
			this.add(bytes, chunk);
			return;
		}
		this.#pieces[this.#pieces.length - 1] = {bytes: Buffer.concat([last.bytes, bytes]), chunk: undefined};
		this.#length += bytes.length;
		chunk?.free();
	}

	/** The same, as a piece of its own. */
	add(bytes: Uint8Array, chunk?: Chunk): void {
		if (bytes.length === 0) return;
		this.#pieces.push({bytes, chunk});
		this.#length += bytes.length;
	}

	/** Copies `length` bytes from `offset` on, which are there. */
	copy(offset: number, length: number, target: Uint8Array, at: number): void {
		let skip = offset + this.#gone;
		let place = at;
		const end = at + length;
		for (const {bytes} of this.#pieces) {
			if (place === end) return;
			if (skip >= bytes.length) {
				skip -= bytes.length;
				continue;
			}
			const part = bytes.subarray(skip, skip + end - place);
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
		for (const {bytes, chunk} of this.#pieces) {
			if (bytes.length > this.#gone) break;
			this.#gone -= bytes.length;
			chunk?.free();
			whole++;
		}
		if (whole > 0) this.#pieces.splice(0, whole);
	}

	clear(): void {
		for (const {chunk} of this.#pieces) chunk?.free();
		this.#pieces = [];
		this.#gone = this.#length = 0;
	}
}
