/** What a frame stands for: an address of code, or words that stand in for one. */
export type FrameKey = bigint | string;

/** Number of the tree's root, which is no call. */
export const rootNode = 0;

/** Distinct frames, and calls; a guest can make up any number. */
const most = {frames: 2 ** 20, nodes: 2 ** 18} as const;

/** Calls that were seen, from the outside in, as a tree of bounded size. Each node is known by its number. */
export class CallTree {
	readonly #frames: FrameKey[] = [];
	readonly #frameOf = new Map<FrameKey, number>();
	readonly #parents: number[] = [rootNode];
	readonly #frameOfNode: number[] = [-1];
	readonly #children = new Map<number, number>();
	readonly #maxNodes: number;

	constructor(maxNodes: number = most.nodes) {
		this.#maxNodes = Math.min(maxNodes, most.nodes);
	}

	/** Nodes, the root among them. */
	get size(): number {
		return this.#parents.length;
	}

	/** The node of a stack, from the outside in; of its outer part where the tree is full. */
	add(stack: readonly FrameKey[]): number {
		let node = rootNode;
		for (const key of stack) {
			const child = this.#child(node, key);
			if (child === undefined) break;
			node = child;
		}
		return node;
	}

	/** Node of the call around one; a parent has a lower number. */
	parentOf(node: number): number {
		return this.#parents[node] as number;
	}

	/** What a node stands for; not of the root. */
	keyOf(node: number): FrameKey {
		return this.#frames[this.#frameOfNode[node] as number] as FrameKey;
	}

	#child(parent: number, key: FrameKey): number | undefined {
		const frame = this.#frameOf.get(key) ?? this.#frames.length;
		const place = parent * most.frames + frame;
		const known = this.#children.get(place);
		if (known !== undefined) return known;
		if (this.size >= this.#maxNodes) return undefined;
		if (frame === this.#frames.length) {
			this.#frames.push(key);
			this.#frameOf.set(key, frame);
		}
		this.#parents.push(parent);
		this.#frameOfNode.push(frame);
		this.#children.set(place, this.size - 1);
		return this.size - 1;
	}
}
