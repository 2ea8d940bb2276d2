import type {Field, Fields, StructSchema, StructView} from '#support/shared-memory';
import {stateError} from './errors.ts';

/** A struct's values: numbers, and arrays as base64 of their bytes, lowest first. Survives JSON unchanged. */
export type SavedFields = Readonly<Record<string, number | string>>;

/** A struct as it is written to a snapshot. */
export interface SavedStruct {
	/** The schema's version; values of an older one are upgraded. */
	readonly version: number;
	readonly fields: SavedFields;
}

/** How a struct is saved: beside its layout, what has become of it since it was first written. */
export interface StateVersions {
	/** Counts up with every change of fields or of their meaning. 1 unless given. */
	readonly version?: number;
	/** Turns the fields of an older version into those of today. */
	upgrade?(fields: SavedFields, from: number): SavedFields;
}

type Values = Record<string, number | Uint8Array | Int32Array>;

const integerRanges = {u8: [0, 0xff], u16: [0, 0xffff], u32: [0, 0xffff_ffff], i32: [-(2 ** 31), 2 ** 31 - 1]} as const;

/** The struct's values as plain data. */
export function saveStruct<T extends Fields>(
	schema: StructSchema<T>,
	view: StructView<T>,
	{version = 1}: StateVersions = {},
): SavedStruct {
	const values = view as unknown as Values;
	const fields = Object.keys(schema.fields).map((name) => {
		const value = values[name] as Values[string];
		return [name, typeof value === 'number' ? value : toBase64(value)];
	});
	return {version, fields: Object.fromEntries(fields)};
}

/**
 * Gives the struct saved values. Checks all before it changes any, because a snapshot may have been made by anybody.
 * @throws VmmError STATE_VERSION_UNKNOWN, STATE_FIELD_UNKNOWN, STATE_FIELD_WRONG
 */
export function restoreStruct<T extends Fields>(
	schema: StructSchema<T>,
	view: StructView<T>,
	saved: SavedStruct,
	versions: StateVersions = {},
): void {
	const fields = currentFields(schema.name, saved, versions);
	const unknown = Object.keys(fields).find((name) => !Object.hasOwn(schema.fields, name));
	if (unknown !== undefined) throw stateError('STATE_FIELD_UNKNOWN', {struct: schema.name, field: unknown});
	const checked = Object.entries(schema.fields).map(([name, field]) => {
		const value = Object.hasOwn(fields, name) ? parse(field, fields[name]) : undefined;
		if (value === undefined) throw stateError('STATE_FIELD_WRONG', {struct: schema.name, field: name});
		return [name, value] as const;
	});
	const target = view as unknown as Values;
	for (const [name, value] of checked) {
		if (typeof value === 'number') target[name] = value;
		else bytesOf(target[name] as Uint8Array | Int32Array).set(value);
	}
}

function currentFields(struct: string, saved: SavedStruct, {version = 1, upgrade}: StateVersions): SavedFields {
	if (typeof saved !== 'object' || saved === null || typeof saved.fields !== 'object' || saved.fields === null)
		throw stateError('STATE_FIELD_WRONG', {struct, field: 'fields'});
	const {version: found, fields} = saved;
	if (found === version) return fields;
	if (!Number.isInteger(found) || found < 1 || found > version || upgrade === undefined)
		throw stateError('STATE_VERSION_UNKNOWN', {struct, found, version});
	return upgrade(fields, found);
}

/** A field's value, or undefined when the field cannot hold it. */
function parse(field: Field, value: unknown): number | Uint8Array | undefined {
	if ('length' in field) {
		const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
		return bytes?.length === field.length * (field.type === 'words' ? 4 : 1) ? bytes : undefined;
	}
	if (typeof value !== 'number') return undefined;
	if (field.type === 'f64') return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
	const [least, most] = integerRanges[field.type];
	return Number.isInteger(value) && value >= least && value <= most ? value : undefined;
}

const bytesOf = ({buffer, byteOffset, byteLength}: Uint8Array | Int32Array): Uint8Array =>
	new Uint8Array(buffer, byteOffset, byteLength);

const toBase64 = (array: Uint8Array | Int32Array): string => Buffer.from(bytesOf(array)).toString('base64');
