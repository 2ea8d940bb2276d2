import type {Faults} from '#devices/storage/image';

const perPage = 1024;
/** Enough for 16 TiB of clusters of 64 KiB; an image may refer to a cluster here and there in a file without end. */
const mostPages = 2 ** 18;

/** How often an image's tables refer to each of its clusters: as found, not as the image counts it. */
export class ReferenceCounts {
	readonly #clusterBytes: number;
	readonly #faults: Faults;
	readonly #pages = new Map<number, Uint32Array>();
	/** The first cluster behind the file, and behind what is to be appended to it. */
	end: number;

	constructor(clusterBytes: number, fileBytes: number, faults: Faults) {
		this.#clusterBytes = clusterBytes;
		this.#faults = faults;
		this.end = Math.ceil(fileBytes / clusterBytes);
	}

	/** True where the file has something. */
	isInside(offset: number): boolean {
		return offset < this.end * this.#clusterBytes;
	}

	/** One more cluster will be there. */
	extend(): void {
		this.end++;
	}

	/**
	 * Counts a reference to bytes that begin with a cluster.
	 * @returns false for what cannot be, which is a fault
	 */
	add(offset: number, bytes: number, name: string): boolean {
		if (bytes === 0 || offset % this.#clusterBytes === 0) return this.addWithin(offset, bytes, name);
		return this.#fault(`${name} begins within a cluster, at ${offset}`);
	}

	/** Counts a reference to bytes that begin anywhere, as compressed ones do. @returns as {@link add} */
	addWithin(offset: number, bytes: number, name: string): boolean {
		if (bytes === 0) return true;
		const [first, last] = [offset, offset + bytes - 1].map((at) => Math.floor(at / this.#clusterBytes)) as [
			number,
			number,
		];
		if (!(last < this.end)) return this.#fault(`${name} lies behind the end of the file, at ${offset}`);
		for (let cluster = first; cluster <= last; cluster++) {
			const number = Math.floor(cluster / perPage);
			let page = this.#pages.get(number);
			if (page === undefined) {
				if (this.#pages.size === mostPages) return this.#fault('it refers to more clusters than can be counted');
				page = new Uint32Array(perPage);
				this.#pages.set(number, page);
			}
			page[cluster % perPage] = (page[cluster % perPage] ?? 0) + 1;
		}
		return true;
	}

	#fault(what: string): false {
		this.#faults.add(what);
		return false;
	}

	/** How often a cluster is referred to. */
	get(cluster: number): number {
		return this.#pages.get(Math.floor(cluster / perPage))?.[cluster % perPage] ?? 0;
	}

	/** The runs of `clusters` clusters, by number, in which any is referred to. */
	ranges(clusters: number): number[] {
		const found = new Set<number>();
		for (const [number, page] of this.#pages)
			for (let index = 0; index < perPage; index++)
				if (page[index] !== 0) found.add(Math.floor((number * perPage + index) / clusters));
		return [...found];
	}
}
