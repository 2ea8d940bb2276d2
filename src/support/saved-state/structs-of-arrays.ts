import type {Wire} from '#support/wire';
import type {SavedField, SavedFields} from './saved-struct.ts';

/**
 * For `upgrade`: the structs of what an older version saved as arrays, one for each field of theirs, and all other fields.
 * What is no such array gives structs without the field, which are refused.
 */
export function structsOfArrays(
	fields: SavedFields,
	item: Wire,
	count: number,
): {structs: SavedFields[]; others: SavedFields} {
	const isItems = ([name]: [string, unknown]) => item.places.has(name);
	const arrays = Object.entries(fields).filter(isItems);
	const others = Object.fromEntries(Object.entries(fields).filter((entry) => !isItems(entry)));
	const lists = arrays.map(([name, saved]) => [name, numbersOf(saved, count)] as const);
	const structs = Array.from({length: count}, (_, index) =>
		Object.fromEntries(lists.flatMap(([name, list]) => (list === undefined ? [] : [[name, list[index] as number]]))),
	);
	return {structs, others};
}

/** Bytes or words of 32 bits, by how many there are. */
function numbersOf(saved: SavedField, count: number): number[] | undefined {
	if (typeof saved !== 'string') return undefined;
	const bytes = Buffer.from(saved, 'base64');
	if (bytes.length === count) return [...bytes];
	if (bytes.length !== 4 * count) return undefined;
	return Array.from({length: count}, (_, index) => bytes.readInt32LE(4 * index));
}
