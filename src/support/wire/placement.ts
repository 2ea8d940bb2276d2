import {wireError} from './errors.ts';
import type {AnyField, PlacedField} from './field.ts';

/** How the fields of a struct lie. */
export interface WireOptions {
	/** Size in bytes that the specification gives; another one is refused. */
	readonly size?: number;
	/** One field follows the other without padding; else each has the alignment that C gives it. */
	readonly packed?: true;
	/** Only some of the struct's fields are declared: with explicit offsets there may be others between them. */
	readonly sparse?: true;
	/** Specification and section that the struct is from. */
	readonly section?: string;
}

/** Where the fields of a struct lie. */
export interface Placement {
	readonly members: ReadonlyMap<string, PlacedField>;
	readonly size: number;
	readonly alignment: number;
}

/**
 * Places the fields: by their explicit offsets, which all have or none, or one after the other.
 * @throws VmmError WIRE_DECLARATION_INVALID
 */
export function placeFields(
	wire: string,
	fields: Readonly<Record<string, AnyField>>,
	{size, packed, sparse}: WireOptions,
): Placement {
	const refuse = (cause: string) => wireError('WIRE_DECLARATION_INVALID', {wire, cause});
	const entries = Object.entries(fields);
	if (entries.length === 0) throw refuse('it has no fields');
	const isExplicit = entries.some(([, {explicitOffset}]) => explicitOffset !== undefined);
	if (sparse && !isExplicit) throw refuse('without explicit offsets nothing lies between the fields');
	const natural = !packed && !isExplicit;
	const members = new Map<string, PlacedField>();
	let [end, alignment] = [0, 1];
	for (const [name, field] of entries) {
		// Neither what starts with a digit, which would come first, nor what every object has.
		if (!/^[A-Za-z_][\w.]*$/.test(name) || name === '__proto__') throw refuse(`${name} is no name for a field`);
		const start = natural ? Math.ceil(end / field.alignment) * field.alignment : end;
		const offset = isExplicit ? field.explicitOffset : start;
		if (offset === undefined) throw refuse(`${name} has no offset, but others have`);
		if (!Number.isInteger(offset) || offset < end || (offset > end && isExplicit && !sparse))
			throw refuse(`${name} is at ${offset}, but the field before it ends at ${end}`);
		members.set(name, {field, offset});
		end = offset + field.size;
		if (!packed) alignment = Math.max(alignment, field.alignment);
	}
	const computed = natural ? Math.ceil(end / alignment) * alignment : end;
	const isAligned = [...members.values()].every(({field, offset}) => offset % field.alignment === 0);
	if (size !== undefined && (sparse ? !(Number.isInteger(size) && size >= computed) : size !== computed))
		throw refuse(`it has ${size} bytes, but its fields end at ${computed}`);
	const total = size ?? computed;
	return {members, size: total, alignment: isAligned && total % alignment === 0 ? alignment : 1};
}
