import {constants} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import type {Frame} from '#devices/network/endpoint';
import {errorTable} from '#support/errors';
import {Errno, lockFile} from '#support/ffi';
import {type Direction, interfaceBlock, packetBytes, sectionBlock, writePacket} from './pcapng.ts';

const captureError = errorTable({
	NETWORK_CAPTURE_UNUSABLE: (c: {path: string; cause: string}) => ({
		message: `Frames cannot be written to ${c.path}: ${c.cause}`,
		remedy:
			'Name a file in an existing directory that you may write to, and another one for each machine, which %n in it does for --clones',
	}),
});

/** Frames that wait for the file; one of two such rooms is being written. */
const roomBytes = 2 ** 20;

/** Told of a NIC's frames. */
export interface CaptureTold {
	/** They are in the file, or are not and will not be. */
	written(frames: number, isThere: boolean): void;
}

/** A NIC's part of a file. */
interface Interface extends CaptureTold {
	waiting: number;
}

/** Files of one machine on one thread, by their paths: its NICs that say the same have one. */
export type CaptureFiles = Map<string, unknown>;

/** Makes a file or empties it, unless somebody else writes to it: what two write nobody can read. */
async function openAlone(path: string): Promise<FileHandle> {
	const file = await open(path, constants.O_WRONLY | constants.O_CREAT);
	try {
		if (lockFile(file.fd) === -Errno.EAGAIN) throw new Error('another machine writes to it');
		if ((await file.stat()).isFile()) await file.truncate();
		return file;
	} catch (error) {
		await file.close();
		throw error;
	}
}

/** A file in pcapng, with an interface for each NIC. Nobody waits for it. It is there as long as a NIC has it. */
export class CaptureFile {
	readonly #leave: () => void;
	#opening: Promise<FileHandle>;
	#interfaces: Interface[] = [];
	#users = 0;
	#filling = new DataView(new ArrayBuffer(roomBytes));
	#spare = new DataView(new ArrayBuffer(roomBytes));
	#used = 0;
	/** Blocks of interfaces before which nothing is written of them. */
	#head: Uint8Array = sectionBlock();
	#writing: Promise<void> | undefined;
	#position = 0;
	#failed = false;

	private constructor(path: string, leave: () => void) {
		this.#leave = leave;
		this.#opening = openAlone(path);
		this.#opening.catch(() => {});
	}

	/**
	 * Makes the file, or empties it, unless a NIC of the machine has it already.
	 * @throws VmmError NETWORK_CAPTURE_UNUSABLE
	 */
	static async open(path: string, files: CaptureFiles): Promise<CaptureFile> {
		const key = `capture ${path}`;
		const file = (files.get(key) as CaptureFile | undefined) ?? new CaptureFile(path, () => void files.delete(key));
		files.set(key, file);
		file.#users++;
		try {
			await file.#opening;
			return file;
		} catch (cause) {
			await file.close();
			throw captureError('NETWORK_CAPTURE_UNUSABLE', {path, cause: (cause as Error).message}, {cause});
		}
	}

	/** Adds an interface. @returns its number, once its block is in the file. @throws VmmError NETWORK_CAPTURE_UNUSABLE */
	async add(path: string, mac: Uint8Array, told: CaptureTold): Promise<number> {
		const number = this.#interfaces.push({waiting: 0, written: (...args) => told.written(...args)}) - 1;
		this.#head = Buffer.concat([this.#head, interfaceBlock(mac)]);
		this.write();
		await this.#writing;
		if (this.#failed) throw captureError('NETWORK_CAPTURE_UNUSABLE', {path, cause: 'the host takes no write'});
		return number;
	}

	/** What is used of the room, by which {@link takeBack} takes back what came last. */
	get used(): number {
		return this.#used;
	}

	/** Adds a frame; false where there is no room for it. */
	append(frame: Frame, direction: Direction, number: number): boolean {
		const bytes = packetBytes(frame.length);
		if (this.#failed || this.#used + bytes > roomBytes) return false;
		writePacket(this.#filling, this.#used, frame, {direction, interface: number, timeUs: Date.now() * 1000});
		this.#used += bytes;
		return true;
	}

	takeBack(used: number): void {
		this.#used = used;
	}

	/** A frame that was added stays. */
	keep(number: number): void {
		(this.#interfaces[number] as Interface).waiting++;
	}

	/** Has what waits written. @returns when that is done, where it has begun */
	write(): Promise<void> | undefined {
		if (this.#writing !== undefined || (this.#used === 0 && this.#head.length === 0)) return undefined;
		this.#writing = this.#writeAll();
		return this.#writing;
	}

	get isWriting(): boolean {
		return this.#writing !== undefined;
	}

	/** Resolves when nothing is being written. */
	async written(): Promise<void> {
		await this.#writing;
	}

	/** A NIC lets go of it. What it was given is in the file then. */
	async close(): Promise<void> {
		const isLast = --this.#users === 0;
		// Whoever comes now begins anew.
		if (isLast) this.#leave();
		await this.written();
		if (isLast) await this.#opening.then((file) => file.close()).catch(() => {});
	}

	async #writeAll(): Promise<void> {
		// What comes in this turn of the thread goes together.
		const file = await this.#opening;
		while (this.#used > 0 || this.#head.length > 0) {
			const head = this.#head;
			this.#head = new Uint8Array();
			if (head.length > 0) {
				await this.#put(file, head);
				continue;
			}
			const [full, length] = [this.#filling, this.#used];
			[this.#filling, this.#spare, this.#used] = [this.#spare, full, 0];
			const frames = this.#interfaces.map((each) => {
				const {waiting} = each;
				each.waiting = 0;
				return waiting;
			});
			const isThere = await this.#put(file, new Uint8Array(full.buffer, 0, length));
			for (const [number, count] of frames.entries()) this.#interfaces[number]?.written(count, isThere);
		}
		this.#writing = undefined;
	}

	/** False where the file has not all of it, and then nothing of it: a reader finds whole blocks. */
	async #put(file: FileHandle, blocks: Uint8Array): Promise<boolean> {
		if (this.#failed) return false;
		try {
			const {bytesWritten} = await file.write(blocks, 0, blocks.length, this.#position);
			if (bytesWritten === blocks.length) {
				this.#position += blocks.length;
				return true;
			}
		} catch {
			// It is told by the counters.
		}
		this.#failed = true;
		await file.truncate(this.#position).catch(() => {});
		return false;
	}
}
