import {promisify} from 'node:util';
import {deflateRaw, zstdCompress} from 'node:zlib';
import type {ImageFile} from '#devices/storage/image';
import {type CompressedPlace, mostCompressedOffset} from './entries.ts';
import type {Header} from './header.ts';
import type {Refcounts} from './refcounts.ts';

const sectorBytes = 512;
/** Readers have no larger window: QEMU (block/qcow2-threads.c) inflates with one of 4 KiB. */
const windowBits = 12;

const [deflate, zstd] = [promisify(deflateRaw), promisify(zstdCompress)];

/** Compresses clusters, and gives them places one right behind the other (qcow2.txt, "Compressed Clusters Descriptor"). */
export class PackedClusters {
	readonly #file: ImageFile;
	readonly #header: Pick<Header, 'clusterBytes' | 'clusterBits' | 'compression'>;
	readonly #counts: Refcounts;
	/** Where the next one goes; a multiple of a cluster where the last one is full, and nothing is known to be free. */
	#end = 0;

	constructor(file: ImageFile, header: Header, counts: Refcounts) {
		this.#file = file;
		this.#header = header;
		this.#counts = counts;
	}

	/** @param bytes - of a whole cluster. @returns undefined where compressed it takes no less room */
	async compress(bytes: Uint8Array): Promise<Uint8Array | undefined> {
		const maxOutputLength = this.#header.clusterBytes - 1;
		try {
			return this.#header.compression === 'zlib'
				? await deflate(bytes, {windowBits, maxOutputLength})
				: await zstd(bytes, {maxOutputLength});
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined;
			throw error;
		}
	}

	/**
	 * Writes a compressed cluster, whose host clusters have a reference more from then on.
	 * @returns undefined where no entry can lead to it
	 * @throws as {@link Refcounts.allocate}, and what the file throws
	 */
	async write(packed: Uint8Array): Promise<CompressedPlace | undefined> {
		const offset = await this.#take(packed.length);
		// Readers read whole sectors.
		const bytes = Math.ceil((offset + packed.length) / sectorBytes) * sectorBytes - offset;
		if (offset > mostCompressedOffset(this.#header.clusterBits)) {
			this.#giveBack(offset, bytes);
			return undefined;
		}
		const padded = Buffer.alloc(bytes);
		padded.set(packed);
		try {
			await this.#file.write(offset, padded);
		} catch (error) {
			this.#giveBack(offset, bytes);
			throw error;
		}
		this.#end = offset + packed.length;
		return {offset, bytes};
	}

	#giveBack(offset: number, bytes: number): void {
		const {clusterBytes} = this.#header;
		this.forget();
		for (let at = offset - (offset % clusterBytes); at < offset + bytes; at += clusterBytes) this.#counts.release(at);
	}

	/** Nothing more goes into the last host cluster: it may be free soon, and somebody else's. */
	forget(): void {
		this.#end = 0;
	}

	async #take(length: number): Promise<number> {
		const {clusterBytes} = this.#header;
		const [start, within] = [this.#end, this.#end % clusterBytes];
		const last = start - within;
		const isOpen =
			within > 0 && (await this.#counts.set(last / clusterBytes, (await this.#counts.get(last / clusterBytes)) + 1));
		if (isOpen && within + length <= clusterBytes) return start;
		const {offset} = await this.#counts.allocate();
		if (isOpen && offset === last + clusterBytes) return start;
		if (isOpen) this.#counts.release(last);
		return offset;
	}
}
