/**
 * Finds loops among blocks in their order: those that are entered at their first block only, and so are loops of a function; by number, with the
 * last block of each. Of two, one contains the other, or they have nothing in common.
 * @param targets - of each block, the blocks to which it goes
 * @param entries - blocks to which code comes from elsewhere
 */
export function loopsOf(
	targets: readonly (readonly number[])[],
	entries: readonly number[],
): ReadonlyMap<number, number> {
	const ends = new Map<number, number>();
	for (const [from, list] of targets.entries())
		for (const to of list) if (to <= from) ends.set(to, Math.max(ends.get(to) ?? to, from));
	const heads = [...ends.keys()].sort((one, other) => one - other);
	// Where one begins within another and ends behind it, the other one ends there too; inner ones first, as they may have grown.
	for (const outer of heads.toReversed())
		for (const inner of heads) {
			const [end, innerEnd] = [ends.get(outer) as number, ends.get(inner) as number];
			if (inner > outer && inner <= end && innerEnd > end) ends.set(outer, innerEnd);
		}
	const isInside = (block: number, head: number) => block > head && block <= (ends.get(head) as number);
	const loops = new Map<number, number>();
	for (const head of heads.toReversed()) {
		const end = ends.get(head) as number;
		const isEnteredInside =
			entries.some((entry) => isInside(entry, head)) ||
			targets.some((list, from) => (from < head || from > end) && list.some((to) => isInside(to, head)));
		const hasOther = heads.some((inner) => isInside(inner, head) && !loops.has(inner));
		if (!isEnteredInside && !hasOther) loops.set(head, end);
	}
	return loops;
}
