/**
 * The clusters of an image's own data: header, tables, counts. An image that has a guest's data there too would let the guest
 * write what the image is made of, the path of the image below included.
 */
export class OwnClusters {
	readonly #clusterBytes: number;
	/** By number, of which V8 makes no object. */
	readonly #clusters = new Set<number>();

	constructor(clusterBytes: number) {
		this.#clusterBytes = clusterBytes;
	}

	/** True when the cluster at `offset` is one. */
	has(offset: number): boolean {
		return this.#clusters.has(offset / this.#clusterBytes);
	}

	/** True when any cluster is one of a table that begins at `offset`. */
	hasAny(offset: number, bytes: number): boolean {
		for (let at = 0; at < bytes; at += this.#clusterBytes) if (this.has(offset + at)) return true;
		return false;
	}

	/** Notes the clusters of a table that begins at one of them. */
	add(offset: number, bytes: number): void {
		for (let at = 0; at < bytes; at += this.#clusterBytes) this.#clusters.add((offset + at) / this.#clusterBytes);
	}

	/** Forgets a table's clusters. */
	remove(offset: number, bytes: number): void {
		for (let at = 0; at < bytes; at += this.#clusterBytes) this.#clusters.delete((offset + at) / this.#clusterBytes);
	}
}
