import {HostMemory, IoVectors} from '#devices/guest-memory';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {MemoryDisk} from '#devices/storage/memory';
import {MemdiffDisk, Overlay} from '../index.ts';

const [sectorBytes, mostBytes] = [512, 2 ** 15];
const sectorWords = sectorBytes / 4;
const mebibyte = 2 ** 20;
/** Parts of the disk that all threads use, in one span and in others. */
const places = [0, mebibyte, 4 * mebibyte, 12 * mebibyte];
/** What the disk below reads as. */
const below = 0xee;

/** What one of the threads of an overlay has. */
export interface OverlayThread {
	readonly memory: SharedArrayBuffer;
	readonly limit: number;
	readonly thread: number;
	readonly steps: number;
}

class Request extends DiskRequest {
	readonly room = new HostMemory(mostBytes);
	readonly words = new Int32Array(this.room.bytes.buffer, this.room.bytes.byteOffset, mostBytes / 4);
	error: DiskError = DiskError.NONE;

	constructor() {
		super(new IoVectors(1));
	}

	on(disk: MemdiffDisk, operation: DiskOperation, offset: number, length: number): DiskError {
		Object.assign(this, {operation, offset, length});
		if (operation === DiskOperation.READ || operation === DiskOperation.WRITE)
			this.vectors.addHost(this.room, 0, length);
		disk.submit(this);
		this.vectors.release();
		return this.error;
	}

	override done(error: DiskError): void {
		this.error = error;
	}
}

/** Does random things to an overlay that others change meanwhile. @returns what was wrong, and how often there was no room */
export function useOverlay({memory, limit, thread, steps}: OverlayThread): {wrong: string[]; full: number} {
	const content = new Uint8Array(16 * mebibyte).fill(below);
	const disk = new MemdiffDisk(new MemoryDisk(content, false), new Overlay(memory, 0, limit), false);
	const random = new SeededRandom(thread);
	const request = new Request();
	const {words} = request;
	const wrong: string[] = [];
	let full = 0;
	for (let step = 0; step < steps; step++) {
		const offset = (places[random.below(places.length)] as number) + random.below(400) * sectorBytes;
		const count = 1 + random.below(mostBytes / sectorBytes);
		const first = offset / sectorBytes;
		const operation = random.below(5) as DiskOperation;
		if (operation === DiskOperation.WRITE)
			// Each sector says where it is.
			for (let at = 0; at < count; at++)
				words.fill((first + at) * 64 + thread * 8 + random.below(8), at * sectorWords, (at + 1) * sectorWords);
		const error = request.on(disk, operation, offset, count * sectorBytes);
		if (error === DiskError.NO_SPACE) full++;
		else if (error !== DiskError.NONE) wrong.push(`error ${error} of ${operation}`);
		if (operation !== DiskOperation.READ) continue;
		for (let at = 0; at < count; at++) {
			const sector = words.subarray(at * sectorWords, (at + 1) * sectorWords);
			const value = sector[0] as number;
			const isKnown = value === 0 || value === (below * 0x0101_0101) >> 0 || value >> 6 === first + at;
			if (!isKnown || sector.some((word) => word !== value)) wrong.push(`sector ${first + at} has ${value}`);
		}
	}
	return {wrong: wrong.slice(0, 5), full};
}
