/** Something that has a place in a file. */
export interface Place {
	/** Names it in messages. */
	readonly name: string;
	readonly at: number;
	readonly bytes: number;
}

/** What lies in a file, in order. There may be millions of blocks: each is an object for a moment only. */
export function* inOrder(
	others: readonly Place[],
	blocks: number[],
	placeOf: (block: number) => number,
	bytes: number,
): Generator<Place, void> {
	const fixed = others.toSorted((one, other) => one.at - other.at);
	let next = 0;
	for (const block of blocks.sort((one, other) => placeOf(one) - placeOf(other))) {
		const at = placeOf(block);
		for (let other = fixed[next]; other !== undefined && other.at <= at; other = fixed[++next]) yield other;
		yield {name: `block ${block}`, at, bytes};
	}
	yield* fixed.slice(next);
}
