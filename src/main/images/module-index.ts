/**
 * The tables of modules that kmod reads (`modules.dep.bin` and the like), where busybox reads text: a tree of characters, whose
 * strings of one child each are prefixes of nodes, numbers with the most significant byte first (kmod, libkmod-index.h).
 */

/** A key and what it stands for: of several with the same key, the first comes first. */
export type IndexEntry = readonly [key: string, value: string];

const magic = 0xb007_f457;
const version = 0x0002_0001;
/** What an offset says about the node that is there. */
const has = {prefix: 0x8000_0000, values: 0x4000_0000, children: 0x2000_0000} as const;
/** Nodes are as deep as keys are long. No alias that a device has is longer. */
const maxKeyLength = 1024;

/** Keys that are empty, too long or not ASCII are left out: nobody could ask for them. */
export function moduleIndex(entries: readonly IndexEntry[]): Uint8Array {
	const known = entries
		.filter(([key]) => key.length <= maxKeyLength && /^[ -~]+$/.test(key))
		.map(([key, value], priority) => ({key, value, priority}))
		.sort((a, b) => (a.key === b.key ? a.priority - b.priority : a.key < b.key ? -1 : 1));
	const writer = new NodeWriter();
	const root = writer.node(known, 0);
	return Buffer.concat([u32(magic), u32(version), u32(root), ...writer.pieces]);
}

interface Leaf {
	readonly key: string;
	readonly value: string;
	readonly priority: number;
}

/** Writes nodes, each behind those below it. */
class NodeWriter {
	readonly pieces: Uint8Array[] = [];
	#end = 12;

	/** @param leaves - in order, alike in their first `start` characters @returns where the node is, and what it has */
	node(leaves: readonly Leaf[], start: number): number {
		const [first, last] = [leaves[0], leaves.at(-1)];
		if (first === undefined || last === undefined) return 0;
		let end = start;
		while (end < first.key.length && first.key[end] === last.key[end]) end++;
		const values = leaves.filter(({key}) => key.length === end);
		const below = Map.groupBy(leaves.slice(values.length), ({key}) => key.charCodeAt(end));
		const children = new Map([...below].map(([code, some]) => [code, this.node(some, end + 1)]));
		const at = this.#end;
		let flags = 0;
		if (end > start) {
			flags += has.prefix;
			this.#write(text(first.key.slice(start, end)));
		}
		if (children.size > 0) {
			flags += has.children;
			const codes = [...children.keys()];
			const [low, high] = [Math.min(...codes), Math.max(...codes)];
			this.#write(Uint8Array.of(low, high));
			for (let code = low; code <= high; code++) this.#write(u32(children.get(code) ?? 0));
		}
		if (values.length > 0) {
			flags += has.values;
			this.#write(u32(values.length));
			for (const {priority, value} of values) this.#write(u32(priority), text(value));
		}
		return at + flags;
	}

	#write(...pieces: readonly Uint8Array[]): void {
		for (const piece of pieces) this.#end += piece.length;
		this.pieces.push(...pieces);
	}
}

const text = (value: string): Uint8Array => Buffer.from(`${value}\0`);

function u32(value: number): Uint8Array {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}
