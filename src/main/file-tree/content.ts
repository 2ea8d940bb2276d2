import {randomUUID} from 'node:crypto';
import {type FileHandle, open, unlink} from 'node:fs/promises';
import {join} from 'node:path';
import {treeError} from './errors.ts';

/** Bytes of a file, which can be read any number of times. */
export interface Content {
	readonly length: number;
	pieces(): AsyncIterable<Uint8Array>;
}

/** Bytes that are in memory. */
export function bytesContent(content: Uint8Array | string): Content {
	const bytes = typeof content === 'string' ? Buffer.from(content) : content;
	return {
		length: bytes.length,
		async *pieces() {
			if (bytes.length > 0) yield bytes;
		},
	};
}

const pieceBytes = 2 ** 20;

/** A file of the host without a name, for more bytes than should be in memory. It is gone when it is closed. */
export class Spool implements AsyncDisposable {
	readonly #file: FileHandle;
	readonly #limit: number;
	/** What comes is written when there is enough of it. */
	readonly #buffer = Buffer.alloc(pieceBytes);
	#buffered = 0;
	#written = 0;

	private constructor(file: FileHandle, limit: number) {
		this.#file = file;
		this.#limit = limit;
	}

	/** @param folder - on whose file system the bytes are @param limit - the most that may come */
	static async open(folder: string, limit: number): Promise<Spool> {
		const path = join(folder, `.${randomUUID()}`);
		const file = await open(path, 'wx+', 0o600);
		await unlink(path);
		return new Spool(file, limit);
	}

	/** @throws VmmError TREE_TOO_LARGE */
	async add(pieces: AsyncIterable<Uint8Array>): Promise<Content> {
		const start = this.#length;
		for await (const piece of pieces) await this.#append(piece);
		const length = this.#length - start;
		return {length, pieces: () => this.#read(start, length)};
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#file.close();
	}

	get #length(): number {
		return this.#written + this.#buffered;
	}

	async #append(piece: Uint8Array): Promise<void> {
		if (this.#length + piece.length > this.#limit) throw treeError('TREE_TOO_LARGE', {limit: this.#limit});
		for (let at = 0; at < piece.length; ) {
			const part = piece.subarray(at, at + this.#buffer.length - this.#buffered);
			this.#buffer.set(part, this.#buffered);
			this.#buffered += part.length;
			at += part.length;
			if (this.#buffered === this.#buffer.length) await this.#flush();
		}
	}

	async #flush(): Promise<void> {
		for (let at = 0; at < this.#buffered; ) {
			const {bytesWritten} = await this.#file.write(this.#buffer, at, this.#buffered - at, this.#written + at);
			at += bytesWritten;
		}
		this.#written += this.#buffered;
		this.#buffered = 0;
	}

	async *#read(start: number, length: number): AsyncGenerator<Uint8Array, void> {
		if (start + length > this.#written) await this.#flush();
		for (let at = 0; at < length; ) {
			const piece = Buffer.allocUnsafe(Math.min(pieceBytes, length - at));
			const {bytesRead} = await this.#file.read(piece, 0, piece.length, start + at);
			if (bytesRead === 0) throw new Error('the spool is shorter than what was written to it');
			yield piece.subarray(0, bytesRead);
			at += bytesRead;
		}
	}
}
