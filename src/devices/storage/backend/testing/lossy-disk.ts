import {closeSync, fstatSync, openSync, readSync, writeSync} from 'node:fs';
import {type Disk, DiskError, DiskOperation, type DiskRequest, requestError} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import type {OpenDisk} from '../index.ts';

const sectorBytes = 512;
/** What the disk says that it writes at once: no less of a write is lost by itself. */
const blockBytes = 4096;

/** What becomes of a write that is not durable. */
const fates = ['kept', 'kept', 'written', 'torn'] as const;

/**
 * The content of a file as a disk has it whose cache dies with its process. A write that nobody has made durable is kept in memory until the
 * next flush, or is in the file at once, or is so in part, as a seed says. So a process that is killed leaves all that was flushed, and any of the rest.
 */
export class LossyDisk implements Disk {
	readonly bytes: number;
	readonly isReadOnly: boolean;
	readonly mover = 'memory';
	readonly geometry = {
		sectorBytes,
		physicalSectorBytes: blockBytes,
		discardBytes: blockBytes,
		mostClearedBytes: 2 ** 20,
	};
	readonly #file: number;
	readonly #random: SeededRandom;
	/** Sectors that the file has not, by their number. */
	readonly #kept = new Map<number, Uint8Array>();

	constructor(path: string, isReadOnly: boolean, seed: number) {
		this.#file = openSync(path, isReadOnly ? 'r' : 'r+');
		this.bytes = Math.floor(fstatSync(this.#file).size / sectorBytes) * sectorBytes;
		this.isReadOnly = isReadOnly;
		this.#random = new SeededRandom(seed);
	}

	submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error === DiskError.NONE) this.#perform(request);
		request.done(error);
	}

	async measure(): Promise<void> {}

	async settle(): Promise<void> {
		this.#flush();
	}

	async close(): Promise<void> {
		closeSync(this.#file);
	}

	#perform(request: DiskRequest): void {
		const {operation, offset, length, vectors, isDurable} = request;
		const data = new Uint8Array(length);
		switch (operation) {
			case DiskOperation.READ:
				this.#read(offset, data);
				vectors.copyIn(0, data, 0, length);
				return;
			case DiskOperation.WRITE:
				vectors.copyOut(0, data, 0, length);
				this.#write(offset, data, isDurable);
				return;
			case DiskOperation.WRITE_ZEROES:
				this.#write(offset, data, isDurable);
				return;
			case DiskOperation.DISCARD:
				this.#put(offset, data);
				return;
			case DiskOperation.FLUSH:
				this.#flush();
				return;
		}
	}

	#read(offset: number, data: Uint8Array): void {
		readSync(this.#file, data, 0, data.length, offset);
		for (let at = 0; at < data.length; at += sectorBytes) {
			const kept = this.#kept.get((offset + at) / sectorBytes);
			if (kept !== undefined) data.set(kept, at);
		}
	}

	#write(offset: number, data: Uint8Array, isDurable: boolean): void {
		const fate = isDurable ? 'written' : fates[this.#random.below(fates.length)];
		for (let at = 0; at < data.length; ) {
			const end = Math.min(data.length, at + blockBytes - ((offset + at) % blockBytes));
			const part = data.subarray(at, end);
			if (fate === 'written' || (fate === 'torn' && this.#random.below(2) === 0)) this.#put(offset + at, part);
			else this.#keep(offset + at, part);
			at = end;
		}
	}

	#keep(offset: number, data: Uint8Array): void {
		for (let at = 0; at < data.length; at += sectorBytes)
			this.#kept.set((offset + at) / sectorBytes, data.subarray(at, at + sectorBytes));
	}

	/** What is written is newer than what is kept. */
	#put(offset: number, data: Uint8Array): void {
		writeSync(this.#file, data, 0, data.length, offset);
		for (let at = 0; at < data.length; at += sectorBytes) this.#kept.delete((offset + at) / sectorBytes);
	}

	#flush(): void {
		for (const [sector, data] of this.#kept) writeSync(this.#file, data, 0, data.length, sector * sectorBytes);
		this.#kept.clear();
	}
}

/** Opens files as such disks, each of a device with one worker: others would not see what it keeps. */
export const openLossy =
	(seed: number): OpenDisk =>
	async (source, isReadOnly, {worker}) => {
		if (source.kind !== 'file' || worker.count !== 1) throw new TypeError('a lossy disk is a file, and has one worker');
		return new LossyDisk(source.path, isReadOnly, seed);
	};
