import {tryLock, unlock} from '#support/shared-memory';

/** Words before all others: a lock, entries, nodes, and words of entries that there are; then the key. */
const Header = {lock: 0, entries: 1, nodes: 2, used: 3, key: 4, words: 16} as const;
const keyWords = Header.words - Header.key;
/** What there is room for: nodes, entries, and words of them all, 40 each. */
const maxNodes = 16_384;
const maxEntries = 32_767;
const maxWords = maxEntries * 40;
const byteShift = 8;
const nodeBytes = 2 << byteShift;
/** Set in each word of a key that somebody has said. */
const isSaid = 1 << 31;

/**
 * A table that all processors of a machine look things up in, by the bytes that they begin with, and add to: nothing is ever taken away. The bytes of
 * one entry do not begin those of another.
 */
export class PrefixTable {
	static readonly byteLength = maxNodes * nodeBytes + (Header.words + maxEntries + maxWords) * 4;
	/** Nodes from which all others come are below this. */
	static readonly roots = 4;

	/** For each node and byte the next node, or the complement of an entry's number; 0 where nobody knows. */
	readonly next: Int16Array;
	readonly #header: Int32Array;
	/** Behind the last word of each entry. */
	readonly #ends: Int32Array;
	readonly #words: Int32Array;

	/** Pages of the buffer are committed when they are touched. */
	constructor(buffer: SharedArrayBuffer) {
		this.next = new Int16Array(buffer, 0, maxNodes << byteShift);
		this.#header = new Int32Array(buffer, this.next.byteLength, Header.words);
		this.#ends = new Int32Array(buffer, this.next.byteLength + Header.words * 4, maxEntries);
		this.#words = new Int32Array(buffer, this.#ends.byteOffset + this.#ends.byteLength, maxWords);
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

	/** Words of an entry that {@link next} has led to. */
	wordsOf(entry: number): Int32Array {
		// Its words, and all before them, have been written before its number.
		while (Atomics.load(this.#header, Header.entries) <= entry);
		return this.#words.subarray(entry === 0 ? 0 : this.#ends[entry - 1], this.#ends[entry]);
	}

	/**
	 * Adds an entry, if nobody has meanwhile.
	 * @returns false where there is no room for it. What comes while another one adds something is not kept
	 */
	keep(root: number, bytes: Uint8Array, words: Int32Array): boolean {
		const header = this.#header;
		if (!tryLock(header, Header.lock)) return true;
		try {
			const entry = Atomics.load(header, Header.entries);
			const used = header[Header.used] as number;
			const nodes = Math.max(header[Header.nodes] as number, PrefixTable.roots);
			if (entry >= maxEntries || nodes + bytes.length > maxNodes || used + words.length > maxWords) return false;
			this.#words.set(words, used);
			this.#ends[entry] = used + words.length;
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
				header[Header.used] = this.#ends[entry] as number;
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
