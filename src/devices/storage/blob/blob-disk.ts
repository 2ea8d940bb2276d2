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
import type {Reactor} from '#support/reactor';
import {ChunkCache} from './chunk-cache.ts';
import {blobError} from './errors.ts';
import {LoopTurns} from './loop-turns.ts';
import {type Patience, RangeSource, usualPatience} from './range-source.ts';

/** What is asked for and kept at once. */
export const chunkBytes = 2 ** 18;
/** Chunks that are kept in memory: 8 MiB. */
const mostInMemory = 32;
/** Chunks that are fetched at once. */
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
	readonly reactor: Pick<Reactor, 'after'>;
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
	/** The last used are the last. */
	readonly #inMemory = new Map<number, Buffer>();
	readonly #loading = new Map<number, Promise<Buffer>>();
	readonly #keeping = new Set<Promise<void>>();
	/** Those for whose load there are too many under way. */
	readonly #waiting: (() => void)[] = [];
	#loads = 0;
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
	static async open(config: BlobConfig, options: BlobOptions): Promise<BlobDisk> {
		const turns = new LoopTurns(options.reactor);
		try {
			return await turns.during(() => BlobDisk.#open(config, options, turns));
		} catch (error) {
			turns.close();
			throw error;
		}
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
			throw blobError('DISK_BLOB_CONTENT', {url, what: `it has ${bytes} bytes, which are no whole sectors`});
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
			this.#copy(request, this.#inMemory);
			request.done(DiskError.NONE);
		} else void this.#fetch(request);
	}

	async measure(): Promise<void> {}

	async settle(): Promise<void> {}

	async close(): Promise<void> {
		this.#leaving.abort(new Error('the disk is closed'));
		await this.#turns.during(() => Promise.allSettled([...this.#loading.values(), ...this.#keeping]));
		this.#turns.close();
	}

	async #fetch(request: DiskRequest): Promise<void> {
		const wanted = chunksOf(request);
		let error: DiskError = DiskError.NONE;
		try {
			const loaded = await Promise.all(wanted.map(async (index) => [index, await this.#chunk(index)] as const));
			this.#copy(request, new Map(loaded));
		} catch {
			error = DiskError.IO;
		}
		request.done(error);
	}

	#isInMemory(request: DiskRequest): boolean {
		const {offset, length} = request;
		for (let at = offset - (offset % chunkBytes); at < offset + length; at += chunkBytes)
			if (!this.#inMemory.has(at / chunkBytes)) return false;
		return true;
	}

	#copy({offset, length, vectors}: DiskRequest, chunks: ReadonlyMap<number, Buffer>): void {
		for (let done = 0; done < length; ) {
			const at = offset + done;
			const within = at % chunkBytes;
			const count = Math.min(length - done, chunkBytes - within);
			const index = (at - within) / chunkBytes;
			vectors.copyIn(done, chunks.get(index) as Buffer, within, count);
			done += count;
		}
	}

	/** A chunk from memory, from the cache, or from the server; the same for all who want it meanwhile. */
	#chunk(index: number): Promise<Buffer> {
		const found = this.#inMemory.get(index);
		if (found !== undefined) {
			this.#remember(index, found);
			return Promise.resolve(found);
		}
		const loading = this.#loading.get(index) ?? this.#load(index);
		this.#loading.set(index, loading);
		return loading;
	}

	#load(index: number): Promise<Buffer> {
		return this.#turns.during(() => this.#loadInTurn(index));
	}

	async #loadInTurn(index: number): Promise<Buffer> {
		if (this.#loads === mostLoads) await new Promise<void>((resolve) => this.#waiting.push(resolve));
		else this.#loads++;
		try {
			const offset = index * chunkBytes;
			const length = Math.min(chunkBytes, this.bytes - offset);
			const bytes = (await this.#cache?.find(index, length)) ?? (await this.#read(index, offset, length));
			this.#remember(index, bytes);
			return bytes;
		} finally {
			this.#loading.delete(index);
			const next = this.#waiting.shift();
			if (next === undefined) this.#loads--;
			else next();
		}
	}

	async #read(index: number, offset: number, length: number): Promise<Buffer> {
		const {url} = this.#source;
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

	#remember(index: number, bytes: Buffer): void {
		this.#inMemory.delete(index);
		this.#inMemory.set(index, bytes);
		if (this.#inMemory.size <= mostInMemory) return;
		const [oldest] = this.#inMemory.keys();
		this.#inMemory.delete(oldest as number);
	}
}

function chunksOf({offset, length}: DiskRequest): number[] {
	const first = Math.floor(offset / chunkBytes);
	const last = Math.floor((offset + length - 1) / chunkBytes);
	return Array.from({length: last - first + 1}, (_, index) => first + index);
}

/** The length of the disk in a fixed VHD. */
async function readFooter(source: RangeSource): Promise<number> {
	const {url, mark} = source;
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
