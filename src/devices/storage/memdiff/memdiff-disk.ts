import {type Disk, DiskError, DiskLayer, DiskOperation, type DiskRequest, requestError} from '#devices/storage/disk';
import {type Split, Splits, type Splitter} from '#devices/storage/split';
import {Content, mostDiskBytes, type Overlay} from './overlay.ts';
import {pageBytes} from './overlay-pages.ts';

/** Reads of the disk below that are under way at once. */
const mostParts = 128;
/** Memory is given back on the reactor's thread, some 100 µs for each MiB, and drivers ask for several ranges at once. */
const mostClearedBytes = 2 ** 23;

/** Copy-on-write: a disk whose changes are in memory, over one that is only read. Flushes have nothing to do. */
export class MemdiffDisk extends DiskLayer implements Splitter {
	readonly #isReadOnly: boolean;
	readonly #overlay: Overlay;
	readonly #splits = new Splits(this, mostParts);

	constructor(below: Disk, overlay: Overlay, isReadOnly: boolean) {
		const {sectorBytes, physicalSectorBytes} = below.geometry;
		super(below, {
			sectorBytes,
			physicalSectorBytes: Math.max(physicalSectorBytes, pageBytes),
			discardBytes: isReadOnly ? 0 : pageBytes,
			mostClearedBytes,
		});
		this.#isReadOnly = isReadOnly;
		this.#overlay = overlay;
	}

	override get bytes(): number {
		return Math.min(this.below.bytes, mostDiskBytes);
	}

	override get isReadOnly(): boolean {
		return this.#isReadOnly;
	}

	override submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error !== DiskError.NONE) request.done(error);
		else if (request.operation === DiskOperation.READ) this.#splits.begin(request);
		else request.done(this.#change(request));
	}

	/** Copies what is here of a read, up to what has to be read below. */
	step(split: Split): DiskError {
		const overlay = this.#overlay;
		if (!overlay.lock()) return DiskError.IO;
		const {offset, length, vectors} = split.request;
		let count = 0;
		while (split.position < length) {
			const {position} = split;
			count = overlay.look(offset + position, length - position);
			if (overlay.content === Content.ABSENT) break;
			if (overlay.content === Content.ZEROS) vectors.fill(position, count, 0);
			else vectors.copyIn(position, overlay.chunk, overlay.start, count);
			split.position += count;
		}
		overlay.unlock();
		if (split.position === length) return DiskError.NONE;
		split.submit(this.below, offset + split.position, count);
		split.position += count;
		return DiskError.NONE;
	}

	#change(request: DiskRequest): DiskError {
		const {operation, offset, length} = request;
		if (operation === DiskOperation.FLUSH) return DiskError.NONE;
		const overlay = this.#overlay;
		if (!overlay.lock()) return DiskError.IO;
		let hasRoom = true;
		if (operation === DiskOperation.WRITE) hasRoom = this.#write(request);
		else if (operation === DiskOperation.WRITE_ZEROES) hasRoom = overlay.zero(offset, length);
		else overlay.drop(offset, length);
		overlay.unlock();
		return hasRoom ? DiskError.NONE : DiskError.NO_SPACE;
	}

	#write({offset, length, vectors}: DiskRequest): boolean {
		const overlay = this.#overlay;
		for (let done = 0; done < length; ) {
			const count = overlay.claim(offset + done, length - done);
			if (count === 0) return false;
			vectors.copyOut(done, overlay.chunk, overlay.start, count);
			done += count;
		}
		return true;
	}
}
