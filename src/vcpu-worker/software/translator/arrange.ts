/** Blocks in an order in which code of loops and branches forth can be written. */
export interface Arrangement {
	/** Numbers of the blocks. */
	readonly order: readonly number[];
	/**
	 * Positions in that order of the first and the last block of each loop, which are all that branches back go to. Of two, one contains the other,
	 * or they have nothing in common.
	 */
	readonly loops: ReadonlyMap<number, number>;
}

/**
 * Arranges blocks: what leads to each other lies together, as a loop, behind all that leads there; and so again within each loop but for branches to its
 * first block. That is one that code comes to from elsewhere. Where there are more of those, code comes from before the loop into its middle.
 * @param targets - of each block, the blocks to which it goes
 * @param entries - blocks to which code comes from elsewhere
 */
export function arrange(targets: readonly (readonly number[])[], entries: readonly number[]): Arrangement {
	const order: number[] = [];
	const loops = new Map<number, number>();
	const place = (blocks: readonly number[], head?: number): void => {
		for (const part of partsOf(blocks, targets, head)) {
			const [only] = part as [number];
			const isLoop = part.length > 1 || (only !== head && targets[only]?.includes(only));
			if (!isLoop) {
				order.push(only);
				continue;
			}
			const first = firstOf(part, targets, entries);
			const begin = order.length;
			place([first, ...part.filter((block) => block !== first)], first);
			loops.set(begin, order.length - 1);
		}
	};
	const all = targets.map((_, block) => block);
	place([...entries, ...all.filter((block) => !entries.includes(block))]);
	return {order, loops};
}

/** Chooses the first block of a loop: of those that code comes to from elsewhere, the one to which most of its own go. */
function firstOf(part: readonly number[], targets: readonly (readonly number[])[], entries: readonly number[]): number {
	const inside = new Set(part);
	const entered = new Set(entries.filter((entry) => inside.has(entry)));
	const counts = new Map<number, number>();
	for (const [from, list] of targets.entries())
		for (const to of list) {
			if (!inside.has(to)) continue;
			if (inside.has(from)) counts.set(to, (counts.get(to) ?? 0) + 1);
			else entered.add(to);
		}
	const candidates = entered.size > 0 ? [...entered] : part;
	return candidates.reduce((best, block) => ((counts.get(block) ?? 0) > (counts.get(best) ?? 0) ? block : best));
}

/**
 * Finds what leads to each other among blocks (R. Tarjan, "Depth-first search and linear graph algorithms", 1972), each part behind those that lead
 * to it; the first block's before all to which it leads.
 * @param head - a block that no branch counts to
 */
function partsOf(
	blocks: readonly number[],
	targets: readonly (readonly number[])[],
	head: number | undefined,
): readonly (readonly number[])[] {
	const inside = new Set(blocks);
	const visited = new Map<number, {readonly index: number; low: number; isOpen: boolean}>();
	const open: number[] = [];
	const parts: number[][] = [];
	const visit = (block: number) => {
		const own = {index: visited.size, low: visited.size, isOpen: true};
		visited.set(block, own);
		open.push(block);
		for (const target of targets[block] ?? []) {
			if (!inside.has(target) || target === head) continue;
			const other = visited.get(target) ?? visit(target);
			if (other.isOpen) own.low = Math.min(own.low, other.low);
		}
		if (own.low === own.index) {
			const part = open.splice(open.indexOf(block));
			for (const each of part) (visited.get(each) as typeof own).isOpen = false;
			parts.push(part);
		}
		return own;
	};
	for (const block of blocks.toReversed()) if (!visited.has(block)) visit(block);
	return parts.reverse();
}
