import {promisify} from 'node:util';
import {createZstdDecompress, inflateRaw} from 'node:zlib';
import {type ImageFile, imageError} from '#devices/storage/image';
import type {CompressedPlace} from './entries.ts';
import {format, type Header} from './header.ts';

const inflate = promisify(inflateRaw);

/** So many clusters stay decompressed: a guest reads one in several pieces. */
const mostKept = 8;

/** Reads compressed clusters, whole (qcow2.txt, "Compressed Clusters Descriptor"). */
export class CompressedClusters {
	readonly #file: ImageFile;
	readonly #clusterBytes: number;
	readonly #compression: Header['compression'];
	readonly #kept = new Map<number, Promise<Uint8Array>>();
	readonly #reading = new Set<Promise<Uint8Array>>();

	constructor(file: ImageFile, {clusterBytes, compression}: Header) {
		this.#file = file;
		this.#clusterBytes = clusterBytes;
		this.#compression = compression;
	}

	/** The cluster's bytes. @throws VmmError DISK_IMAGE_DAMAGED */
	async read(place: CompressedPlace): Promise<Uint8Array> {
		const kept = this.#kept.get(place.offset);
		if (kept !== undefined) return kept;
		const reading = this.#decompress(place);
		this.#kept.set(place.offset, reading);
		this.#reading.add(reading);
		const [oldest] = this.#kept.keys();
		if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest);
		reading.catch(() => this.#kept.delete(place.offset)).finally(() => this.#reading.delete(reading));
		return reading;
	}

	/** Resolves when all that is being read by now has been read. */
	async settled(): Promise<void> {
		await Promise.allSettled(this.#reading);
	}

	/** Forgets what was decompressed: its place may get other bytes. */
	forget(): void {
		this.#kept.clear();
	}

	async #decompress({offset, bytes}: CompressedPlace): Promise<Uint8Array> {
		const packed = Buffer.alloc(bytes);
		await this.#file.read(offset, packed);
		let found: Uint8Array | undefined;
		try {
			found = await (this.#compression === 'zlib' ? this.#inflate(packed) : this.#unzstd(packed));
		} catch (error) {
			if (!/^(Z_|ZSTD_|ERR_BUFFER_TOO_LARGE)/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
		}
		if (found?.length === this.#clusterBytes) return found;
		const what = `what is compressed at ${offset} is no cluster of ${this.#clusterBytes} bytes`;
		throw imageError('DISK_IMAGE_DAMAGED', {path: this.#file.path, format, what});
	}

	/** Bytes behind the end are another cluster's. More than a cluster is refused before it is all there. */
	#inflate(packed: Uint8Array): Promise<Uint8Array> {
		return inflate(packed, {maxOutputLength: this.#clusterBytes});
	}

	async #unzstd(packed: Uint8Array): Promise<Uint8Array> {
		const stream = createZstdDecompress({chunkSize: Math.min(this.#clusterBytes, 2 ** 16)});
		const parts: Uint8Array[] = [];
		let length = 0;
		stream.end(packed);
		// Leaving the loop ends the stream.
		for await (const part of stream as AsyncIterable<Uint8Array>) {
			parts.push(part);
			length += part.length;
			if (length >= this.#clusterBytes) break;
		}
		return Buffer.concat(parts);
	}
}
