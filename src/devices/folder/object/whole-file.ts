import {constants} from 'node:fs';
import {failed} from './failed.ts';
import type {FolderFile, FolderObject} from './folder-object.ts';

/** Most bytes of a file that is read and written whole. */
const mostWholeBytes = 64 * 2 ** 20;

/** Writes a file to wherever it is by then. */
export type WriteWhole = (path: () => string | undefined, bytes: Uint8Array) => Promise<void>;

/** A file of an object that gives files whole: it is read when it is opened, and written when it is synced or closed. */
export class WholeFile implements FolderFile {
	readonly #write: WriteWhole;
	/** Undefined for a file that has no name any more, whose content is here alone. */
	#path: string | undefined;
	readonly #appends: boolean;
	#bytes: Uint8Array;
	#isChanged = false;

	private constructor(write: WriteWhole, path: string, bytes: Uint8Array, flags: number, isNew: boolean) {
		this.#write = write;
		this.#path = path;
		this.#bytes = bytes;
		this.#appends = (flags & constants.O_APPEND) !== 0;
		this.#isChanged = isNew;
	}

	/** @param write - has what has been changed later */
	static async open(object: FolderObject, path: string, flags: number, write: WriteWhole): Promise<WholeFile> {
		const isWritten = (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
		if (isWritten && object.writeFile === undefined) throw failed('EROFS');
		const found = await WholeFile.#content(object, path, flags);
		// A name that has been made is there at once.
		if (found === undefined) await object.writeFile?.(path, new Uint8Array());
		const isCut = found === undefined || (flags & constants.O_TRUNC) !== 0;
		return new WholeFile(write, path, isCut ? new Uint8Array() : found, flags, isCut && found !== undefined);
	}

	/** Undefined for a file that is to be made. */
	static async #content(object: FolderObject, path: string, flags: number): Promise<Uint8Array | undefined> {
		if (object.readFile === undefined) throw failed('EOPNOTSUPP');
		const makes = (flags & constants.O_CREAT) !== 0;
		let content: Uint8Array | string;
		try {
			content = await object.readFile(path);
		} catch (error) {
			if (makes && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
			throw error;
		}
		if (makes && (flags & constants.O_EXCL) !== 0) throw failed('EEXIST');
		const bytes = typeof content === 'string' ? Buffer.from(content) : Uint8Array.from(content);
		if (bytes.length > mostWholeBytes) throw failed('EFBIG');
		return bytes;
	}

	async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{bytesRead: number}> {
		const part = this.#bytes.subarray(position, position + length);
		buffer.set(part, offset);
		return {bytesRead: part.length};
	}

	async write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{bytesWritten: number}> {
		const at = this.#appends ? this.#bytes.length : position;
		if (at + length > this.#bytes.length) this.#resize(at + length);
		this.#bytes.set(buffer.subarray(offset, offset + length), at);
		this.#isChanged = true;
		return {bytesWritten: length};
	}

	async truncate(length: number): Promise<void> {
		this.#resize(length);
		this.#isChanged = true;
	}

	async sync(): Promise<void> {
		if (!this.#isChanged) return;
		this.#isChanged = false;
		await this.#write(() => this.#path, this.#bytes);
	}

	/** What was at a path is at another one, in the place of what was there. */
	moved(from: string, to: string): void {
		if (from === to || this.#path === undefined) return;
		if (this.#path === to) this.#path = undefined;
		else if (`${this.#path}/`.startsWith(`${from}/`)) this.#path = to + this.#path.slice(from.length);
	}

	removed(path: string): void {
		if (this.#path === path) this.#path = undefined;
	}

	async close(): Promise<void> {
		await this.sync();
	}

	#resize(length: number): void {
		if (length > mostWholeBytes) throw failed('EFBIG');
		const bytes = new Uint8Array(length);
		bytes.set(this.#bytes.subarray(0, length));
		this.#bytes = bytes;
	}
}
