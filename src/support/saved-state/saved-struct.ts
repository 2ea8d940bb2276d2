import {
	type AnyField,
	type Fields,
	type FieldsView,
	isKind,
	type PlainFields,
	type Scalar,
	viewOf,
	type Wire,
} from '#support/wire';
import {stateError} from './errors.ts';
import {bytesOf, hex64, isObject, placeOf, shortened, wrong} from './saved-value.ts';

/**
 * A field's value: a number, hexadecimal text for one of 64 bits, structs and lists of them as such, and everything else as
 * base64 of its bytes, lowest first. Survives JSON unchanged.
 */
export type SavedField = number | string | SavedFields | readonly SavedField[];

/** A struct's values by name. */
export interface SavedFields {
	readonly [name: string]: SavedField;
}

/** A struct as it is written to a snapshot. */
export interface SavedStruct {
	/** The schema's version; values of an older one are upgraded. */
	readonly version: number;
	readonly fields: SavedFields;
}

/** History of a saved struct: beside its layout, what has become of it since it was first written. */
export interface StateVersions {
	/** Counts up with every change of fields or of their meaning. 1 unless given. */
	readonly version?: number;
	/**
	 * Turns the fields of an older version into those of today. They may be anything: `readFields` checks them by the layout
	 * that they had. The result is checked as any other.
	 */
	upgrade?(fields: SavedFields, from: number): SavedFields;
}

/** The struct's values as plain data. */
export function saveStruct<T extends Fields>(
	schema: Wire<T>,
	view: FieldsView<T>,
	{version = 1}: StateVersions = {},
): SavedStruct {
	return {version, fields: saveFields(schema, viewOf(view.$bytes), 0)};
}

/**
 * Gives the struct saved values. Checks all before it changes any, because a snapshot may have been made by anybody.
 * @throws VmmError STATE_VERSION_UNKNOWN, STATE_FIELD_UNKNOWN, STATE_FIELD_WRONG
 */
export function restoreStruct<T extends Fields>(
	schema: Wire<T>,
	view: FieldsView<T>,
	saved: SavedStruct,
	versions: StateVersions = {},
): void {
	let known = parsed.get(saved);
	if (known?.schema !== schema) {
		known = {schema, bytes: parse(schema, currentFields(schema.name, saved, versions))};
		parsed.set(saved, known);
	}
	view.$bytes.set(known.bytes);
}

/** Structs that have been parsed, which all clones of a snapshot begin with: nobody changes them. */
const parsed = new WeakMap<SavedStruct, {readonly schema: Wire; readonly bytes: Uint8Array}>();

/**
 * For `upgrade`: saved fields as plain data of the layout that they were saved by, which has the name of today's.
 * @throws VmmError STATE_FIELD_UNKNOWN, STATE_FIELD_WRONG for names and values that it had not
 */
export const readFields = <T extends Fields>(schema: Wire<T>, fields: SavedFields): PlainFields<T> =>
	schema.read(parse(schema, fields));

/** The struct's bytes, of which all were checked. Errors name fields in fields by names joined by dots. */
function parse(schema: Wire, fields: SavedFields): Uint8Array {
	const target = new Uint8Array(schema.size);
	parseFields(viewOf(target), 0, schema, fields, schema.name);
	return target;
}

function currentFields(struct: string, saved: SavedStruct, {version = 1, upgrade}: StateVersions): SavedFields {
	if (!isObject(saved) || !isObject(saved.fields)) throw stateError('STATE_FIELD_WRONG', {struct, field: 'fields'});
	const {version: found, fields} = saved;
	if (found === version) return fields;
	if (!Number.isInteger(found) || found < 1 || found > version || upgrade === undefined)
		throw stateError('STATE_VERSION_UNKNOWN', {struct, found, version});
	return upgrade(fields, found);
}

function saveFields({places}: Wire, source: DataView, base: number): SavedFields {
	const named = [...places].filter(([, {field}]) => !isKind(field, 'reserved'));
	return Object.fromEntries(named.map(([name, {field, offset}]) => [name, saveField(field, source, base + offset)]));
}

function saveField(field: AnyField, source: DataView, at: number): SavedField {
	if (isKind(field, 'struct')) return saveFields(field, source, at);
	if (isKind(field, 'list'))
		return Array.from({length: field.length}, (_, index) =>
			saveField(field.item, source, at + index * field.item.size),
		);
	const wide = wideOf(field);
	if (wide !== undefined) return hex64.save(source.getBigUint64(at, wide.isLittle));
	if (isKind(field, 'scalar')) return field.reader(at)(source, 0) as number;
	return bytesOf(field.size, field.size).save(new Uint8Array(source.buffer, source.byteOffset + at, field.size));
}

/** An integer of 64 bits: a number cannot hold it. */
function wideOf(field: AnyField): Scalar | undefined {
	const scalar = isKind(field, 'halves') ? field.whole : field;
	return isKind(scalar, 'scalar') && scalar.size === 8 && scalar.range !== undefined ? scalar : undefined;
}

function parseFields(target: DataView, base: number, {places}: Wire, saved: object, path: string): void {
	const isKnown = (name: string) => places.has(name) && places.get(name)?.field.kind !== 'reserved';
	const unknown = Object.keys(saved).find((name) => !isKnown(name));
	if (unknown !== undefined) throw stateError('STATE_FIELD_UNKNOWN', placeOf(`${path}.${shortened(unknown)}`));
	for (const [name, {field, offset}] of places) {
		if (isKind(field, 'reserved')) continue;
		const value = Object.hasOwn(saved, name) ? (saved as Readonly<Record<string, unknown>>)[name] : undefined;
		parseField(target, base + offset, field, value, `${path}.${name}`);
	}
}

function parseField(target: DataView, at: number, field: AnyField, saved: unknown, path: string): void {
	const wide = wideOf(field);
	if (isKind(field, 'struct')) {
		if (!isObject(saved)) throw wrong(path);
		parseFields(target, at, field, saved, path);
	} else if (isKind(field, 'list')) {
		if (!Array.isArray(saved) || saved.length !== field.length) throw wrong(path);
		for (const [index, item] of saved.entries())
			parseField(target, at + index * field.item.size, field.item, item, `${path}.${index}`);
	} else if (wide !== undefined) target.setBigUint64(at, hex64.parse(saved, path), wide.isLittle);
	else if (isKind(field, 'scalar')) {
		if (typeof saved !== 'number' || !fits(field, saved)) throw wrong(path);
		field.writer(at, field.type)(target, 0, saved);
	} else new Uint8Array(target.buffer, at, field.size).set(bytesOf(field.size, field.size).parse(saved, path));
}

/** Doubles are times and counts: their whole part is exact. */
function fits({range}: Scalar, value: number): boolean {
	if (range === undefined) return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
	return Number.isInteger(value) && value >= range[0] && value <= range[1];
}
