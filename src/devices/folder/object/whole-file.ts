import {constants} from 'node:fs';
import type {FolderFile, FolderObject} from './folder-object.ts';

/** Most bytes of a file that is read and written whole. */
const mostWholeBytes = 64 * 2 ** 20;

/** The error of a file operation, by the name that Linux gives it. */
export const failed = (code: string) => Object.assign(new Error(code), {code});

/** A file of an object that gives files whole: it is read when it is opened, and written when it is synced or closed. */
export class WholeFile implements FolderFile {
	readonly #object: FolderObject;
	readonly #path: string;
	readonly #appends: boolean;
	#bytes: Uint8Array;
	#isChanged = false;

	private constructor(object: FolderObject, path: string, bytes: Uint8Array, flags: number, isNew: boolean) {
		this.#object = object;
		this.#path = path;
		this.#bytes = bytes;
		this.#appends = (flags & constants.O_APPEND) !== 0;
		this.#isChanged = isNew;
	}

	static async open(object: FolderObject, path: string, flags: number): Promise<WholeFile> {
		const isWritten = (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
		if (isWritten && object.writeFile === undefined) throw failed('EROFS');
		const found = await WholeFile.#content(object, path, flags);
		const isNew = found === undefined || (flags & constants.O_TRUNC) !== 0;
		const file = new WholeFile(object, path, isNew ? new Uint8Array() : found, flags, isNew);
		// A name that has been made is there at once.
		if (found === undefined) await file.sync();
		return file;
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
		await this.#object.writeFile?.(this.#path, this.#bytes);
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
