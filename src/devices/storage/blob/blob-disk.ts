import {createHash} from 'node:crypto';
import {
	type Disk,
	DiskError,
	type DiskGeometry,
	DiskOperation,
	type DiskRequest,
	requestError,
} from '#devices/storage/disk';
import {DiskType, footerBytes, parseFooter} from '#devices/storage/vhd';
import {isVmmError} from '#support/errors';
import {ChunkCache} from './chunk-cache.ts';
import {blobError} from './errors.ts';
import {type BlobReactor, LoopTurns} from './loop-turns.ts';
import {type Patience, RangeSource, usualPatience} from './range-source.ts';

/** What is asked for and kept at once. */
export const chunkBytes = 2 ** 18;
/** Chunks that are kept in memory: 8 MiB. */
const mostInMemory = 32;
/** Chunks that are fetched at once, and as many that are looked for in the cache, which a server that hangs keeps from nobody. */
const mostLoads = 8;
const sectorBytes = 512;

/** A disk whose content comes by HTTP. */
export interface BlobConfig {
	readonly url: string;
	/** `flat`: the disk as it is; `vhd1`: a fixed VHD, which has a footer behind it. */
	readonly format: 'flat' | 'vhd1';
}

/** How it is read. */
export interface BlobOptions {
	/** Where chunks are kept; nowhere without it. */
	readonly cache: string | undefined;
	/** The thread's. */
	readonly reactor: BlobReactor;
	readonly patience?: Patience;
}

/** A disk that is only read, by parts of a file of a server, which are kept. */
export class BlobDisk implements Disk {
	readonly bytes: number;
	readonly isReadOnly = true;
	readonly mover = 'http';
	readonly geometry: DiskGeometry = {
		sectorBytes,
		physicalSectorBytes: 4096,
		discardBytes: 0,
		mostClearedBytes: chunkBytes,
	};
	readonly #source: RangeSource;
	readonly #cache: ChunkCache | undefined;
	readonly #leaving: AbortController;
	readonly #turns: LoopTurns;
	/** Why the last read that failed did so. */
	fault: string | undefined;
	/** The last used are the last. */
	readonly #inMemory = new Map<number, Buffer>();
	readonly #loading = new Map<number, Promise<Buffer>>();
	readonly #keeping = new Set<Promise<void>>();
	readonly #finds = new Places(mostLoads);
	readonly #fetches = new Places(mostLoads);
	/** What is on the server is another file now, which it stays: nothing more is read. */
	#hasChanged = false;

	private constructor(
		source: RangeSource,
		bytes: number,
		cache: ChunkCache | undefined,
		leaving: AbortController,
		turns: LoopTurns,
	) {
		this.#source = source;
		this.bytes = bytes;
		this.#cache = cache;
		this.#leaving = leaving;
		this.#turns = turns;
	}

	/** @throws VmmError DISK_BLOB_ */
	static open(config: BlobConfig, options: BlobOptions): Promise<BlobDisk> {
		const turns = new LoopTurns(options.reactor);
		return turns.during(() => BlobDisk.#open(config, options, turns));
	}

	static async #open(
		{url, format}: BlobConfig,
		{cache, patience = usualPatience}: BlobOptions,
		turns: LoopTurns,
	): Promise<BlobDisk> {
		const leaving = new AbortController();
		const source = await RangeSource.open(url, patience, leaving.signal);
		const bytes = format === 'flat' ? source.mark.bytes : await readFooter(source);
		if (bytes === 0 || bytes % sectorBytes !== 0)
			throw blobError('DISK_BLOB_CONTENT', {
				url: source.name,
				what: `it has ${bytes} bytes, which are no whole sectors`,
			});
		const chunks = cache === undefined ? undefined : await ChunkCache.open(cache, url, source.mark, chunkBytes);
		return new BlobDisk(source, bytes, chunks, leaving, turns);
	}

	/** Tells the file from any other, as far as 31 bits do; not 0. */
	get markNumber(): number {
		const {bytes, validator} = this.#source.mark;
		return createHash('sha256').update(`${bytes} ${validator}`).digest().readInt32LE(0) | 1;
	}

	submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error !== DiskError.NONE || request.operation !== DiskOperation.READ || request.length === 0)
			request.done(error);
		else if (this.#isInMemory(request)) {
			for (let index = firstChunk(request); index <= lastChunk(request); index++)
				this.#copy(request, index, this.#used(index) as Buffer);
			request.done(DiskError.NONE);
		} else void this.#fetch(request);
	}

	async measure(): Promise<void> {}

	async settle(): Promise<void> {}

	async close(): Promise<void> {
		this.#leaving.abort(new Error('the disk is closed'));
		await this.#turns.during(() => Promise.allSettled([...this.#loading.values(), ...this.#keeping]));
	}

	/** Each chunk is copied as it comes: none waits in memory for those that hang. */
	async #fetch(request: DiskRequest): Promise<void> {
		const first = firstChunk(request);
		const copying = Array.from({length: lastChunk(request) - first + 1}, async (_, at) =>
			this.#copy(request, first + at, await this.#chunk(first + at)),
		);
		const failed = (await Promise.allSettled(copying)).find((each) => each.status === 'rejected');
		if (failed !== undefined) this.fault = (failed.reason as Error).message;
		request.done(failed === undefined ? DiskError.NONE : DiskError.IO);
	}

	#isInMemory(request: DiskRequest): boolean {
		for (let index = firstChunk(request); index <= lastChunk(request); index++)
			if (!this.#inMemory.has(index)) return false;
		return true;
	}

	/** Copies what a request wants of a chunk. */
	#copy({offset, length, vectors}: DiskRequest, index: number, chunk: Buffer): void {
		const start = index * chunkBytes;
		const from = Math.max(offset, start);
		const end = Math.min(offset + length, start + chunkBytes);
		vectors.copyIn(from - offset, chunk, from - start, end - from);
	}

	/** A chunk from memory, from the cache, or from the server; the same for all who want it meanwhile. */
	#chunk(index: number): Promise<Buffer> {
		const found = this.#used(index);
		if (found !== undefined) return Promise.resolve(found);
		const loading = this.#loading.get(index) ?? this.#turns.during(() => this.#load(index));
		this.#loading.set(index, loading);
		return loading;
	}

	async #load(index: number): Promise<Buffer> {
		try {
			const offset = index * chunkBytes;
			const length = Math.min(chunkBytes, this.bytes - offset);
			const kept = await this.#finds.during(async () => this.#cache?.find(index, length));
			const bytes = kept ?? (await this.#fetches.during(() => this.#read(index, offset, length)));
			this.#inMemory.set(index, bytes);
			if (this.#inMemory.size > mostInMemory) {
				const [oldest] = this.#inMemory.keys();
				this.#inMemory.delete(oldest as number);
			}
			return bytes;
		} finally {
			this.#loading.delete(index);
		}
	}

	async #read(index: number, offset: number, length: number): Promise<Buffer> {
		const url = this.#source.name;
		if (this.#hasChanged) throw blobError('DISK_BLOB_CHANGED', {url, what: 'it was another one already'});
		try {
			const bytes = await this.#source.read(offset, length);
			const keeping = this.#cache?.keep(index, bytes).finally(() => this.#keeping.delete(keeping as Promise<void>));
			if (keeping !== undefined) this.#keeping.add(keeping);
			return bytes;
		} catch (error) {
			this.#hasChanged ||= isVmmError(error, 'DISK_BLOB_CHANGED');
			throw error;
		}
	}

	/** A chunk in memory, which is used now. */
	#used(index: number): Buffer | undefined {
		const found = this.#inMemory.get(index);
		if (found === undefined) return undefined;
		this.#inMemory.delete(index);
		this.#inMemory.set(index, found);
		return found;
	}
}

/** Has so many things be done at once. Others wait, the first that came goes first. */
class Places {
	readonly #waiting: (() => void)[] = [];
	#free: number;

	constructor(most: number) {
		this.#free = most;
	}

	async during<T>(work: () => Promise<T>): Promise<T> {
		if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
		else this.#free--;
		try {
			return await work();
		} finally {
			const next = this.#waiting.shift();
			if (next === undefined) this.#free++;
			else next();
		}
	}
}

const firstChunk = ({offset}: DiskRequest): number => Math.floor(offset / chunkBytes);
const lastChunk = ({offset, length}: DiskRequest): number => Math.floor((offset + length - 1) / chunkBytes);

/** The length of the disk in a fixed VHD. */
async function readFooter(source: RangeSource): Promise<number> {
	const {name: url, mark} = source;
	const room = mark.bytes - footerBytes;
	const footer = room > 0 ? parseFooter(await source.read(room, footerBytes)) : undefined;
	const what =
		footer === undefined
			? 'it does not end as a VHD'
			: footer.type !== DiskType.fixed
				? 'it is a VHD that is not fixed'
				: footer.sizeBytes > room
					? `its footer tells of ${footer.sizeBytes} bytes, and there are ${room}`
					: undefined;
	if (footer === undefined || what !== undefined) throw blobError('DISK_BLOB_CONTENT', {url, what: what ?? ''});
	return footer.sizeBytes;
}
