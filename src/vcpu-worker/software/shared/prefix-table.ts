import {allocateSmallMemory, lock, type SharedMemory, sharedPageSize, unlock} from '#support/shared-memory';

/** Words before all others: a lock, entries, nodes, and words of entries that there are; then the key. */
const Header = {lock: 0, entries: 1, nodes: 2, used: 3, key: 4, words: 16} as const;
const keyWords = Header.words - Header.key;
/** What there is room for: nodes, entries, and words of them all, 40 each. */
const maxNodes = 16_384;
const maxEntries = 32_767;
const maxWords = maxEntries * 40;
const byteShift = 8;
const nodeBytes = 2 << byteShift;
/** Where in a table's memory its parts are, in bytes: see the fields of {@link PrefixTable}. */
const headerAt = maxNodes * nodeBytes;
const beginsAt = headerAt + Header.words * 4;
const wordsAt = beginsAt + (maxEntries + 1) * 4;
/** Time that one waits for another who adds something, whose thread may have been ended amid that. */
const patienceMs = 1000;
/** Set in each word of a key that somebody has said. */
const isSaid = 1 << 31;

const bytesOf = ({buffer, byteOffset, byteLength}: Int16Array | Int32Array): Uint8Array =>
	new Uint8Array(buffer, byteOffset, byteLength);

/**
 * A table that all processors of a machine look things up in, by the bytes that they begin with, and add to: nothing is ever taken away. The bytes of
 * one entry do not begin those of another.
 */
export class PrefixTable {
	/** Pages of 64 KiB of its memory. */
	static readonly pages = Math.ceil((wordsAt + maxWords * 4) / sharedPageSize);
	/** Nodes from which all others come are below this. */
	static readonly roots = 4;
	/** Where generated code finds {@link next}, where each entry begins, and {@link wordsOf}: addresses in its memory. */
	static readonly places = {next: 0, begins: beginsAt, words: wordsAt} as const;

	readonly memory: SharedMemory;
	/** For each node and byte the next node, or the complement of an entry's number; 0 where nobody knows. */
	readonly next: Int16Array;
	readonly #header: Int32Array;
	/** First word of each entry, and behind the last one. */
	readonly #begins: Int32Array;
	readonly #words: Int32Array;

	constructor(memory: SharedMemory) {
		const {buffer} = memory;
		this.memory = memory;
		this.next = new Int16Array(buffer, 0, maxNodes << byteShift);
		this.#header = new Int32Array(buffer, headerAt, Header.words);
		this.#begins = new Int32Array(buffer, beginsAt, maxEntries + 1);
		this.#words = new Int32Array(buffer, wordsAt, maxWords);
	}

	/** Makes the memory of a table. Its pages are committed when they are touched. */
	static allocate(): SharedMemory {
		return allocateSmallMemory(PrefixTable.pages);
	}

	/** Says what entries depend on, in digits of 0 and 1; false where somebody has said otherwise. */
	isFor(key: string): boolean {
		const words = Array.from({length: keyWords}, () => isSaid);
		for (const [index, digit] of [...key].entries()) {
			const at = Math.floor(index / 31);
			if (at >= keyWords) return false;
			words[at] = (words[at] as number) | (Number(digit) << (index % 31));
		}
		const others = words.map((word, at) => Atomics.compareExchange(this.#header, Header.key + at, 0, word));
		return others.every((other, at) => other === 0 || other === words[at]);
	}

	/** Words of an entry that {@link next} has led to: they were written before its number. */
	wordsOf(entry: number): Int32Array {
		return this.#words.subarray(this.#begins[entry], this.#begins[entry + 1]);
	}

	/** What it is for: so many digits of what {@link isFor} was told first. */
	key(digits: number): string {
		const digit = (at: number) => ((this.#header[Header.key + Math.floor(at / 31)] as number) >>> (at % 31)) & 1;
		return Array.from({length: digits}, (_, at) => digit(at)).join('');
	}

	/** Bytes that lead to entries, behind the root that they begin at, in their order. */
	*paths(node = 0, path: readonly number[] = []): Generator<readonly number[]> {
		const begins = node === 0 ? Array.from({length: PrefixTable.roots - 1}, (_, root) => root + 1) : undefined;
		for (const root of begins ?? []) yield* this.paths(root, [root]);
		for (let byte = 0; node !== 0 && byte < 1 << byteShift; byte++) {
			const next = this.next[(node << byteShift) | byte] as number;
			if (next < 0) yield [...path, byte];
			else if (next > 0) yield* this.paths(next, [...path, byte]);
		}
	}

	/** All that is in it, while nobody adds anything, for {@link load}. */
	image(): Uint8Array<ArrayBuffer> {
		return new Uint8Array(Buffer.concat(this.#parts().map(bytesOf)));
	}

	/** Fills a table that is empty with what another one had. @param read - fills an array with what comes next of the {@link image} */
	load(read: (target: Uint8Array) => void): void {
		read(bytesOf(this.#header));
		for (const part of this.#parts().slice(1)) read(bytesOf(part));
	}

	/** What of each array is in use, as the header says. */
	#parts(): readonly (Int16Array | Int32Array)[] {
		const header = this.#header;
		const [entries, nodes, used] = [Header.entries, Header.nodes, Header.used].map((at) => header[at] as number) as [
			number,
			number,
			number,
		];
		return [
			header,
			this.next.subarray(0, nodes << byteShift),
			this.#begins.subarray(0, entries + 1),
			this.#words.subarray(0, used),
		];
	}

	/** Takes everything away, while nobody else looks. */
	clear(): void {
		for (const part of [this.next, this.#header, this.#begins]) part.fill(0);
	}

	/**
	 * Adds an entry, if nobody has meanwhile.
	 * @returns false where there is no room for it, or no time
	 */
	keep(root: number, bytes: Uint8Array, words: Int32Array): boolean {
		const header = this.#header;
		if (!lock(header, Header.lock, patienceMs)) return false;
		try {
			const entry = Atomics.load(header, Header.entries);
			const used = header[Header.used] as number;
			const nodes = Math.max(header[Header.nodes] as number, PrefixTable.roots);
			if (entry >= maxEntries || nodes + bytes.length > maxNodes || used + words.length > maxWords) return false;
			this.#words.set(words, used);
			this.#begins[entry + 1] = used + words.length;
			this.#link(root, bytes, entry, nodes);
			return true;
		} finally {
			unlock(header, Header.lock);
		}
	}

	#link(root: number, bytes: Uint8Array, entry: number, nodes: number): void {
		const {next} = this;
		const header = this.#header;
		let [node, made] = [root, nodes];
		for (const [index, byte] of bytes.entries()) {
			const at = (node << byteShift) | byte;
			const isLast = index === bytes.length - 1;
			// Another one has added it.
			if (isLast ? next[at] !== 0 : (next[at] as number) < 0) return;
			if (isLast) {
				header[Header.used] = this.#begins[entry + 1] as number;
				Atomics.store(header, Header.entries, entry + 1);
				Atomics.store(next, at, ~entry);
			} else if (next[at] === 0) {
				header[Header.nodes] = made + 1;
				Atomics.store(next, at, made++);
			}
			node = next[at] as number;
		}
	}
}
