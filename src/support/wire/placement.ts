import {wireError} from './errors.ts';
import type {AnyField, PlacedField} from './field.ts';

/** `packed`: without padding. `sparse`: by offsets between which there may be more. */
export type PlacementStyle = 'whole' | 'packed' | 'sparse';

/** Neither what starts with a digit, which would come first, nor what starts as the names that a view has anyway. */
const fieldName = /^[A-Za-z_][\w.]*$/;

/** Offsets of a struct's fields. */
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
	style: PlacementStyle,
): Placement {
	const refuse = (cause: string) => wireError('WIRE_DECLARATION_INVALID', {wire, cause});
	const entries = Object.entries(fields);
	if (entries.length === 0) throw refuse('it has no fields');
	const isExplicit = entries.some(([, {explicitOffset}]) => explicitOffset !== undefined);
	if (style === 'sparse' && !isExplicit) throw refuse('without explicit offsets nothing lies between the fields');
	const natural = style === 'whole' && !isExplicit;
	const members = new Map<string, PlacedField>();
	let [end, alignment] = [0, 1];
	for (const [name, field] of entries) {
		if (!fieldName.test(name) || name === '__proto__') throw refuse(`${name} is no name for a field`);
		const start = natural ? Math.ceil(end / field.alignment) * field.alignment : end;
		const offset = isExplicit ? field.explicitOffset : start;
		if (offset === undefined) throw refuse(`${name} has no offset, but others have`);
		if (!Number.isInteger(offset) || offset < end || (offset > end && isExplicit && style !== 'sparse'))
			throw refuse(`${name} is at ${offset}, but the field before it ends at ${end}`);
		members.set(name, {field, offset});
		end = offset + field.size;
		if (style !== 'packed') alignment = Math.max(alignment, field.alignment);
	}
	const size = natural ? Math.ceil(end / alignment) * alignment : end;
	const isAligned =
		size % alignment === 0 && [...members.values()].every(({field, offset}) => offset % field.alignment === 0);
	return {members, size, alignment: isAligned ? alignment : 1};
}
