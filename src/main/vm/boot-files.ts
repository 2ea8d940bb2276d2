import type {BigIntStats} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import {findCompression} from '#main/compression';
import {formatBytes} from '#main/config';
import {errorTable} from '#support/errors';
import {addressOf, makeReadOnly} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import {decompressKernel} from './decompress-kernel.ts';

const bootFileError = errorTable({
	MEMORY_BELOW_BOOT_FILE: (c: {path: string; fileBytes: number; memoryBytes: number}) => ({
		message: `"${c.path}" has ${formatBytes(c.fileBytes)}, and the machine has ${formatBytes(c.memoryBytes)} of memory`,
		remedy: 'Give the machine more memory than all its boot files take (--memory), or use a smaller file',
	}),
});

/** One read(2) takes at most 2 GiB. */
const stepBytes = 2 ** 30;

/** A file that was changed less than this before it is opened can change again without another time stamp. */
const unsettledMs = 2000;

/** Bytes from the beginning of a buffer that stays as long as somebody refers to it. */
interface Kept {
	readonly buffer: WeakRef<ArrayBufferLike>;
	readonly length: number;
}

/**
 * The bytes of boot files, in memory once for all machines that boot the same, read-only and outside the JavaScript heap. They
 * are copies: a file that is cut short under a mapping ends the process, and a reset has to find the bytes that were checked.
 * They stay as long as a machine refers to them.
 */
export class BootFiles {
	readonly #entries = new Map<string, Promise<Uint8Array> | Kept>();
	readonly #nowMs: () => number;

	/** @param nowMs - the clock that file systems take their time stamps from, in Unix milliseconds */
	constructor(nowMs: () => number = Date.now) {
		this.#nowMs = nowMs;
	}

	/**
	 * A file that has to fit into guest memory; one that cannot is refused before it is read.
	 * @throws VmmError `MEMORY_BELOW_BOOT_FILE`; NodeJS.ErrnoException when the file cannot be read
	 */
	read(path: string | URL, memoryBytes: number): Promise<Uint8Array> {
		return this.#open(path, memoryBytes, (_, load) => load());
	}

	/**
	 * A kernel file, decompressed when it is compressed.
	 * @throws VmmError of the kinds in `#main/compression`, and what {@link BootFiles.read} throws
	 */
	readKernel(path: string | URL, memoryBytes: number): Promise<Uint8Array> {
		return this.#open(path, memoryBytes, async (identity, load) => {
			let isOurs = false;
			const unpack = async () => {
				isOurs = true;
				const bytes = await load();
				return findCompression(bytes) === undefined ? bytes : sealed(await decompressKernel(bytes, memoryBytes));
			};
			try {
				const kernel = await this.#shared(identity && `unpacked ${identity}`, unpack);
				if (kernel.length <= memoryBytes) return kernel;
			} catch (error) {
				if (isOurs) throw error;
			}
			// Another machine's attempt says nothing of this one, which has more memory, or less.
			return unpack();
		});
	}

	/** @param use - gets what the file's bytes are known by, and what reads them unless they are there */
	async #open(
		path: string | URL,
		memoryBytes: number,
		use: (identity: string | undefined, load: () => Promise<Uint8Array>) => Promise<Uint8Array>,
	): Promise<Uint8Array> {
		await using file = await open(path);
		const stat = await file.stat({bigint: true});
		const size = Number(stat.size);
		if (size > memoryBytes) {
			throw bootFileError('MEMORY_BELOW_BOOT_FILE', {path: String(path), fileBytes: size, memoryBytes});
		}
		const isSettled = this.#nowMs() - Number(stat.ctimeMs) >= unsettledMs;
		const identity = isSettled ? identityOf(stat) : undefined;
		return await use(identity, () => this.#shared(identity, () => readWhole(file, size)));
	}

	/** @param identity - what the bytes are made of; without it they are shared with nobody */
	async #shared(identity: string | undefined, load: () => Promise<Uint8Array>): Promise<Uint8Array> {
		if (identity === undefined) return load();
		const entry = this.#entries.get(identity);
		const known = entry instanceof Promise ? entry : entry && bytesOf(entry);
		if (known !== undefined) return known;
		this.#forgetUnused();
		const loading = load();
		this.#entries.set(identity, loading);
		try {
			const bytes = await loading;
			this.#entries.set(identity, {buffer: new WeakRef(bytes.buffer), length: bytes.length});
			return bytes;
		} catch (error) {
			this.#entries.delete(identity);
			throw error;
		}
	}

	#forgetUnused(): void {
		for (const [identity, entry] of this.#entries) {
			if (!(entry instanceof Promise) && bytesOf(entry) === undefined) this.#entries.delete(identity);
		}
	}
}

function bytesOf({buffer, length}: Kept): Uint8Array | undefined {
	const referred = buffer.deref();
	return referred && new Uint8Array(referred, 0, length);
}

/** Changes when the file does. */
const identityOf = ({dev, ino, size, mtimeNs, ctimeNs}: BigIntStats): string =>
	[dev, ino, size, mtimeNs, ctimeNs].join(' ');

async function readWhole(file: FileHandle, size: number): Promise<Uint8Array> {
	const bytes = new Uint8Array(allocateSharedPages(Math.max(size, 1)), 0, size);
	let done = 0;
	while (done < size) {
		const {bytesRead} = await file.read(bytes, done, Math.min(stepBytes, size - done));
		// The file has become shorter meanwhile.
		if (bytesRead === 0) break;
		done += bytesRead;
	}
	return sealed(bytes.subarray(0, done));
}

/** A machine that writes to what others boot is a bug that must not get further. */
function sealed(bytes: Uint8Array): Uint8Array {
	makeReadOnly(addressOf(bytes.buffer as SharedArrayBuffer), bytes.buffer.byteLength);
	return bytes;
}
