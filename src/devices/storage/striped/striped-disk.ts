import {
	type Disk,
	DiskError,
	type DiskGeometry,
	type DiskMover,
	DiskOperation,
	type DiskRequest,
	requestError,
} from '#devices/storage/disk';
import {type Split, Splits, type Splitter} from '#devices/storage/split';
import {errorTable} from '#support/errors';

/** Parts under way at once, of all requests. */
const mostParts = 256;

const stripedError = errorTable({
	DISK_STRIPES_DIFFER: (c: {first: string; other: string}) => ({
		message: `The disks of a striped disk are not alike: one has ${c.first}, another ${c.other}`,
		remedy: 'Give it disks of one length, and all with or all without direct',
	}),
	DISK_STRIPES_SHORT: (c: {bytes: number; chunk: number}) => ({
		message: `Disks of ${c.bytes} bytes have no chunk of ${c.chunk}`,
		remedy: 'Give longer disks, or say chunk=LEN with the chunk that the striped disk was made with',
	}),
});

/** A disk whose chunks lie on several disks, one after the other on each in turn. */
export class StripedDisk implements Disk, Splitter {
	readonly bytes: number;
	readonly geometry: DiskGeometry;
	readonly isReadOnly: boolean;
	readonly mover: DiskMover;
	readonly #disks: readonly Disk[];
	readonly #chunkBytes: number;
	readonly #splits = new Splits(this, mostParts);

	/**
	 * @param chunkBytes - a multiple of 4096
	 * @throws VmmError DISK_STRIPES_DIFFER, DISK_STRIPES_SHORT
	 */
	constructor(disks: readonly [Disk, ...Disk[]], chunkBytes: number) {
		const [first] = disks;
		for (const disk of disks)
			if (tellDisk(disk) !== tellDisk(first))
				throw stripedError('DISK_STRIPES_DIFFER', {first: tellDisk(first), other: tellDisk(disk)});
		const chunks = Math.floor(first.bytes / chunkBytes);
		if (chunks === 0) throw stripedError('DISK_STRIPES_SHORT', {bytes: first.bytes, chunk: chunkBytes});
		const geometries = disks.map(({geometry}) => geometry);
		this.bytes = chunks * chunkBytes * disks.length;
		this.isReadOnly = first.isReadOnly;
		this.mover = first.mover;
		this.geometry = {
			sectorBytes: first.geometry.sectorBytes,
			physicalSectorBytes: Math.max(...geometries.map(({physicalSectorBytes}) => physicalSectorBytes)),
			discardBytes: Math.max(...geometries.map(({discardBytes}) => discardBytes)),
			// A range has no more than that on each.
			mostClearedBytes: Math.min(...geometries.map(({mostClearedBytes}) => mostClearedBytes)),
		};
		this.#disks = disks;
		this.#chunkBytes = chunkBytes;
	}

	submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error !== DiskError.NONE) request.done(error);
		else if (isMoving(request)) this.#splits.begin(request);
		else this.#splits.begin(request, this.#disks.length);
	}

	step(split: Split): DiskError {
		if (!isMoving(split.request)) return this.#stepOnAll(split);
		const {request, position} = split;
		const [chunkBytes, count] = [this.#chunkBytes, this.#disks.length];
		const offset = request.offset + position;
		const chunk = Math.floor(offset / chunkBytes);
		const within = offset % chunkBytes;
		const length = Math.min(chunkBytes - within, request.length - position);
		split.submit(this.#disks[chunk % count] as Disk, Math.floor(chunk / count) * chunkBytes + within, length);
		split.position += length;
		return DiskError.NONE;
	}

	/** How long it is is decided when it is opened. */
	async measure(): Promise<void> {}

	get fault(): string | undefined {
		return this.#disks.find(({fault}) => fault !== undefined)?.fault;
	}

	async settle(): Promise<void> {
		await Promise.all(this.#disks.map((disk) => disk.settle()));
	}

	async close(): Promise<void> {
		await Promise.all(this.#disks.map((disk) => disk.close()));
	}

	/** What a range that is cleared has on one disk lies together, whatever its length; a flush is of all of each. */
	#stepOnAll(split: Split): DiskError {
		const [chunkBytes, count] = [this.#chunkBytes, this.#disks.length];
		const {operation, offset, length} = split.request;
		const disk = split.position++;
		if (operation === DiskOperation.FLUSH) {
			split.submit(this.#disks[disk] as Disk, 0, 0);
			return DiskError.NONE;
		}
		if (length === 0) return DiskError.NONE;
		const last = offset + length - 1;
		const [firstChunk, lastChunk] = [Math.floor(offset / chunkBytes), Math.floor(last / chunkBytes)];
		const own = firstChunk + ((disk + count - (firstChunk % count)) % count);
		const ownLast = lastChunk - (((lastChunk % count) + count - disk) % count);
		if (own > ownLast) return DiskError.NONE;
		const start = Math.floor(own / count) * chunkBytes + (own === firstChunk ? offset % chunkBytes : 0);
		const end =
			Math.floor(ownLast / count) * chunkBytes + (ownLast === lastChunk ? (last % chunkBytes) + 1 : chunkBytes);
		split.submit(this.#disks[disk] as Disk, start, end - start);
		return DiskError.NONE;
	}
}

const isMoving = ({operation}: DiskRequest): boolean =>
	operation === DiskOperation.READ || operation === DiskOperation.WRITE;

const tellDisk = ({bytes, geometry, isReadOnly}: Disk): string =>
	`${bytes} bytes in sectors of ${geometry.sectorBytes}${isReadOnly ? ', only read' : ''}`;
