import {constants} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import {addressOf, Errno, errnoName, errnoOf, Fallocate, fallocateInPool, lockFile, Seek, seek} from '#support/ffi';
import {FileAction, FileOperation, type IoEngine} from '#support/io-engine';
import {imageError} from './errors.ts';
import type {FileRange, ImageFile} from './image-file.ts';

/** A hole that cannot be punched is written, so many bytes at a time. */
const zeros = new Uint8Array(2 ** 16);

/** Calls that end so are made again. */
const again: readonly number[] = [Errno.EINTR, Errno.EAGAIN];

/** A call for a file by an engine, as a promise. */
class EngineCall extends FileOperation {
	/** What it returned: a negated errno for a failure. */
	readonly result: Promise<number>;
	/** Stays where it is until the call has returned, as the engine has this object. */
	readonly bytes: Uint8Array | undefined;
	readonly #vector = new BigUint64Array(new ArrayBuffer(16));
	readonly #resolve: (result: number) => void;

	constructor(engine: IoEngine, fd: number, values: Partial<FileOperation>, bytes?: Uint8Array) {
		super();
		const {promise, resolve} = Promise.withResolvers<number>();
		this.result = promise;
		this.#resolve = resolve;
		this.bytes = bytes;
		Object.assign(this, values, {fd});
		if (bytes !== undefined) {
			this.#vector.set([addressOf(bytes), BigInt(bytes.length)]);
			this.vectors = Number(addressOf(this.#vector));
			this.count = 1;
		}
		engine.submit(this);
	}

	override completed(result: number): void {
		this.#resolve(result);
	}
}

/** A regular file of the host's. While it is open to be written no other process that asks has it open, and none may write it while it is read. */
export class HostImageFile implements ImageFile {
	readonly path: string;
	readonly writable: boolean;
	readonly #handle: FileHandle;
	#punches = true;
	#engine: IoEngine | undefined;

	constructor(path: string, handle: FileHandle, writable: boolean) {
		this.path = path;
		this.writable = writable;
		this.#handle = handle;
	}

	get fd(): number {
		return this.#handle.fd;
	}

	/**
	 * Has an engine make its calls that may take long, or Node's pool again, which all files of the process share. What is under way stays where it is.
	 */
	useEngine(engine: IoEngine | undefined): void {
		this.#engine = engine;
	}

	/** Device and inode: the same for all names of a file. */
	async identity(): Promise<string> {
		const {dev, ino} = await this.#try('looked at', () => this.#handle.stat());
		return `${dev}:${ino}`;
	}

	/** Bytes that it takes on the host's disk, which are fewer than its size where it has holes. */
	async allocatedBytes(): Promise<number> {
		return (await this.#try('looked at', () => this.#handle.stat())).blocks * 512;
	}

	async size(): Promise<number> {
		return (await this.#try('looked at', () => this.#handle.stat())).size;
	}

	async read(offset: number, bytes: Uint8Array): Promise<void> {
		// A damaged image may have it there; no file goes so far.
		if (!Number.isSafeInteger(offset + bytes.length)) {
			bytes.fill(0);
			return;
		}
		for (let at = 0; at < bytes.length; ) {
			const part = bytes.subarray(at);
			const {bytesRead} = await this.#try('read', async () => {
				if (this.#engine === undefined) return this.#handle.read(part, 0, part.length, offset + at);
				return {bytesRead: await this.#call('read', {action: FileAction.READ, offset: offset + at}, part)};
			});
			if (bytesRead === 0) {
				bytes.fill(0, at);
				return;
			}
			at += bytesRead;
		}
	}

	async write(offset: number, bytes: Uint8Array): Promise<void> {
		for (let at = 0; at < bytes.length; ) {
			const part = bytes.subarray(at);
			const {bytesWritten} = await this.#try('written', async () => {
				if (this.#engine === undefined) return this.#handle.write(part, 0, part.length, offset + at);
				return {bytesWritten: await this.#call('written', {action: FileAction.WRITE, offset: offset + at}, part)};
			});
			at += bytesWritten;
		}
	}

	async flush(): Promise<void> {
		if (this.#engine === undefined) await this.#try('written', () => this.#handle.datasync());
		else await this.#call('written', {action: FileAction.SYNC});
	}

	async truncate(size: number): Promise<void> {
		await this.#try('written', () => this.#handle.truncate(size));
	}

	async punch(offset: number, length: number): Promise<void> {
		if (length <= 0) return;
		if (this.#punches) {
			const result = await this.#allocate(Fallocate.PUNCH_HOLE | Fallocate.KEEP_SIZE, offset, length);
			// No file goes so far, as a damaged image may say that it does.
			if (result === 0 || result === -Errno.EFBIG) return;
			if (result !== -Errno.EOPNOTSUPP && result !== -Errno.ENOSYS) throw this.#failed('written', result);
			this.#punches = false;
		}
		const end = Math.min(offset + length, await this.size());
		for (let at = offset; at < end; at += zeros.length)
			await this.write(at, zeros.subarray(0, Math.min(zeros.length, end - at)));
	}

	async nextData(offset: number): Promise<FileRange | undefined> {
		const start = seek(this.#handle.fd, offset, Seek.DATA);
		if (start === -Errno.ENXIO) return undefined;
		const end = start < 0 ? start : seek(this.#handle.fd, start, Seek.HOLE);
		if (end < 0) throw this.#failed('read', end);
		return {start, end};
	}

	async close(): Promise<void> {
		await this.#handle.close();
	}

	async #allocate(flags: number, offset: number, length: number): Promise<number> {
		const {fd} = this.#handle;
		let result: number = -Errno.EINTR;
		while (again.includes(-result)) {
			const {promise, resolve} = Promise.withResolvers<number>();
			if (this.#engine === undefined) fallocateInPool(fd, flags, offset, length, resolve);
			else resolve(new EngineCall(this.#engine, fd, {action: FileAction.ALLOCATE, flags, offset, length}).result);
			result = await promise;
		}
		return result;
	}

	/** What the engine's call returned. @throws VmmError DISK_IMAGE_FILE_FAILED */
	async #call(what: string, values: Partial<FileOperation>, bytes?: Uint8Array): Promise<number> {
		let returned: number = -Errno.EINTR;
		for (let engine = this.#engine; engine !== undefined && again.includes(-returned); engine = this.#engine)
			returned = await new EngineCall(engine, this.#handle.fd, values, bytes).result;
		if (returned < 0) throw this.#failed(what, returned);
		return returned;
	}

	#failed(what: string, result: number) {
		return imageError('DISK_IMAGE_FILE_FAILED', {path: this.path, what, errno: errnoName(result)});
	}

	async #try<T>(what: string, work: () => Promise<T>): Promise<T> {
		return tryOn(this.path, what, work);
	}
}

async function tryOn<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		if (errno === 'EEXIST') throw imageError('DISK_IMAGE_EXISTS', {path}, {cause});
		throw imageError('DISK_IMAGE_FILE_FAILED', {path, what, errno}, {cause});
	}
}

/** How a file is opened. */
export interface OpenHostFile {
	readonly writable: boolean;
	/** Path that it is opened by, where that is another than it is known by: of one that has been found already (proc(5)). */
	readonly by?: string;
}

/**
 * Opens a file, and holds it against other processes that ask.
 * @throws VmmError DISK_IMAGE_FILE_FAILED, DISK_IMAGE_NOT_FILE, DISK_IMAGE_IN_USE
 */
export const openHostFile = (path: string, {writable, by = path}: OpenHostFile): Promise<HostImageFile> =>
	hold(path, writable, writable ? constants.O_RDWR : constants.O_RDONLY, by);

/** Makes a file, of which there must be none. @throws VmmError DISK_IMAGE_EXISTS, and as {@link openHostFile} */
export const createHostFile = (path: string): Promise<HostImageFile> =>
	hold(path, true, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL);

async function hold(path: string, writable: boolean, flags: number, by = path): Promise<HostImageFile> {
	// A pipe would be waited for.
	const handle = await tryOn(path, 'opened', () => open(by, flags | constants.O_NONBLOCK));
	try {
		if (!(await handle.stat()).isFile()) throw imageError('DISK_IMAGE_NOT_FILE', {path});
		const result = lockFile(handle.fd, !writable);
		if (result === -Errno.EWOULDBLOCK) throw imageError('DISK_IMAGE_IN_USE', {path, writable});
		if (result < 0) throw imageError('DISK_IMAGE_FILE_FAILED', {path, what: 'locked', errno: errnoName(result)});
		return new HostImageFile(path, handle, writable);
	} catch (error) {
		await handle.close();
		throw error;
	}
}
