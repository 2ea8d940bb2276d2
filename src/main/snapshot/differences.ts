/** A place in which two trees of plain data differ: what is there in each, undefined where one ends before it. */
export interface Difference {
	/** Names and indexes from the root on, joined by dots. */
	readonly path: string;
	readonly one: unknown;
	readonly other: unknown;
}

/**
 * Lists the differences of two trees of plain data, leaf by leaf. Of `one`, which may be anybody's, no more is looked into than
 * `other` has.
 */
export function* differences(one: unknown, other: unknown, path = ''): Generator<Difference> {
	const [ones, others] = [childrenOf(one), childrenOf(other)];
	if (ones === undefined || others === undefined || Array.isArray(one) !== Array.isArray(other)) {
		if (ones !== undefined || others !== undefined || one !== other) yield {path, one, other};
		return;
	}
	for (const name of new Set([...ones.keys(), ...others.keys()])) {
		yield* differences(ones.get(name), others.get(name), path === '' ? name : `${path}.${name}`);
	}
}

/** Gives the children that count in JSON: a field that is undefined is none. */
function childrenOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	return new Map(Object.entries(value).filter(([, child]) => child !== undefined));
}
