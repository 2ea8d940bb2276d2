import type {FileRange, ImageFile} from '../image-file.ts';

const pageBytes = 4096;

/** A file in memory, sparse: pages that were never written take none. */
export class MemoryFile implements ImageFile {
	readonly path: string;
	readonly writable: boolean;
	#pages = new Map<number, Uint8Array>();
	#size = 0;

	constructor({path = 'memory', writable = true}: {path?: string; writable?: boolean} = {}) {
		this.path = path;
		this.writable = writable;
	}

	/** A file with these bytes. */
	static of(bytes: Uint8Array, options: {path?: string; writable?: boolean} = {}): MemoryFile {
		const file = new MemoryFile(options);
		file.put(0, bytes);
		return file;
	}

	/** The same bytes in another file. */
	copy({writable = this.writable}: {writable?: boolean} = {}): MemoryFile {
		const copy = new MemoryFile({path: this.path, writable});
		copy.#pages = new Map([...this.#pages].map(([page, bytes]) => [page, bytes.slice()]));
		copy.#size = this.#size;
		return copy;
	}

	/** All of its bytes. */
	bytes(): Uint8Array {
		const bytes = new Uint8Array(this.#size);
		this.#get(0, bytes);
		return bytes;
	}

	put(offset: number, bytes: Uint8Array): void {
		this.#size = Math.max(this.#size, offset + bytes.length);
		for (let at = 0; at < bytes.length; ) {
			const [page, within] = [Math.floor((offset + at) / pageBytes), (offset + at) % pageBytes];
			const length = Math.min(pageBytes - within, bytes.length - at);
			let target = this.#pages.get(page);
			if (target === undefined) {
				target = new Uint8Array(pageBytes);
				this.#pages.set(page, target);
			}
			target.set(bytes.subarray(at, at + length), within);
			at += length;
		}
	}

	cut(size: number): void {
		for (const page of [...this.#pages.keys()]) if (page * pageBytes >= size) this.#pages.delete(page);
		if (size < this.#size) this.#pages.get(Math.floor(size / pageBytes))?.fill(0, size % pageBytes);
		this.#size = size;
	}

	#get(offset: number, bytes: Uint8Array): void {
		for (let at = 0; at < bytes.length; ) {
			const [page, within] = [Math.floor((offset + at) / pageBytes), (offset + at) % pageBytes];
			const length = Math.min(pageBytes - within, bytes.length - at);
			const source = this.#pages.get(page);
			if (source === undefined) bytes.fill(0, at, at + length);
			else bytes.set(source.subarray(within, within + length), at);
			at += length;
		}
	}

	async size(): Promise<number> {
		return this.#size;
	}

	async read(offset: number, bytes: Uint8Array): Promise<void> {
		this.#get(offset, bytes);
	}

	async write(offset: number, bytes: Uint8Array): Promise<void> {
		if (!this.writable) throw new TypeError('a write to a file that is only read');
		this.put(offset, bytes);
	}

	async flush(): Promise<void> {}

	async truncate(size: number): Promise<void> {
		this.cut(size);
	}

	async punch(offset: number, length: number): Promise<void> {
		const end = Math.min(offset + length, this.#size);
		for (const page of [...this.#pages.keys()]) {
			const [from, to] = [Math.max(0, offset - page * pageBytes), Math.min(pageBytes, end - page * pageBytes)];
			if (from === 0 && to === pageBytes) this.#pages.delete(page);
			else if (from < to) this.#pages.get(page)?.fill(0, from, to);
		}
	}

	async nextData(offset: number): Promise<FileRange | undefined> {
		if (offset >= this.#size) return undefined;
		const first = [...this.#pages.keys()].filter((page) => (page + 1) * pageBytes > offset).sort((a, b) => a - b)[0];
		if (first === undefined) return undefined;
		let last = first;
		while (this.#pages.has(last + 1)) last++;
		return {start: Math.max(offset, first * pageBytes), end: Math.min((last + 1) * pageBytes, this.#size)};
	}

	async close(): Promise<void> {}
}
