import {stateError} from './errors.ts';

/** Writes a value to a snapshot as data that survives JSON, and reads it back from one that may be anybody's. */
export interface SavedValue<T> {
	save(value: T): unknown;
	/**
	 * @param saved - anything
	 * @param path - where it is, for the error: the name of what is saved, then of fields in fields, joined by dots
	 * @throws VmmError STATE_FIELD_WRONG
	 */
	parse(saved: unknown, path: string): T;
}

/** A {@link SavedValue} that is written as text. */
interface SavedText<T> extends SavedValue<T> {
	save(value: T): string;
}

/** The type of what a {@link SavedValue} reads. */
export type ValueOf<S> = S extends SavedValue<infer T> ? T : never;

/** The struct and the field that a path names. */
export function placeOf(path: string): {readonly struct: string; readonly field: string} {
	const [struct = '', ...fields] = path.split('.');
	return {struct, field: fields.join('.') || 'all'};
}

/** The error for a value that cannot be what is at `path`. */
export const wrong = (path: string) => stateError('STATE_FIELD_WRONG', placeOf(path));

/** True for an object that has fields. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** A name that a snapshot's author has made up. */
export const shortened = (name: string) => name.slice(0, 40);

/** A whole number from 0 to `most`. */
export const wholeNumber = (most: number): SavedValue<number> => ({
	save: (value) => value,
	parse(saved, path) {
		if (typeof saved === 'number' && Number.isInteger(saved) && saved >= 0 && saved <= most) return saved;
		throw wrong(path);
	},
});

/** An unsigned number of 64 bits, as hexadecimal text. */
export const hex64: SavedText<bigint> = {
	save: (value) => `0x${value.toString(16)}`,
	parse(saved, path) {
		if (typeof saved === 'string' && /^0x[0-9a-f]{1,16}$/.test(saved)) return BigInt(saved);
		throw wrong(path);
	},
};

/** Text of at most so many letters. */
export const textUpTo = (most: number): SavedValue<string> => ({
	save: (value) => value,
	parse(saved, path) {
		if (typeof saved === 'string' && saved.length <= most) return saved;
		throw wrong(path);
	},
});

export const yesOrNo: SavedValue<boolean> = {
	save: (value) => value,
	parse(saved, path) {
		if (typeof saved === 'boolean') return saved;
		throw wrong(path);
	},
};

/** One of some words. */
export const oneOf = <const W extends string>(words: readonly W[]): SavedValue<W> => ({
	save: (value) => value,
	parse(saved, path) {
		const word = words.find((known) => known === saved);
		if (word === undefined) throw wrong(path);
		return word;
	},
});

/** Characters of base64 for so many bytes, with padding (RFC 4648, 4). */
const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4;

/** So many bytes, as base64. */
export const bytesOf = (least: number, most: number): SavedText<Uint8Array> => ({
	save: (value) => Buffer.from(value).toString('base64'),
	parse(saved, path) {
		if (typeof saved !== 'string' || saved.length > base64Length(most)) throw wrong(path);
		const bytes = Buffer.from(saved, 'base64');
		if (bytes.length < least || bytes.length > most) throw wrong(path);
		return new Uint8Array(bytes);
	},
});

/** A value that need not be there; null where it is not. */
export const orNone = <T>(of: SavedValue<T>): SavedValue<T | undefined> => ({
	save: (value) => (value === undefined ? null : of.save(value)),
	parse: (saved, path) => (saved === null ? undefined : of.parse(saved, path)),
});

// biome-ignore lint/suspicious/noExplicitAny: any type of value, each with its own
type Members = Readonly<Record<string, SavedValue<any>>>;
type MembersOf<M> = {readonly [K in keyof M]: ValueOf<M[K]>};

/** An object with these fields and no others. */
export const record = <const M extends Members>(members: M): SavedValue<MembersOf<M>> => ({
	save: (value) =>
		Object.fromEntries(Object.entries(members).map(([name, of]) => [name, of.save((value as never)[name])])),
	parse(saved, path) {
		if (!isObject(saved)) throw wrong(path);
		const other = Object.keys(saved).find((name) => !Object.hasOwn(members, name));
		if (other !== undefined) throw wrong(`${path}.${shortened(other)}`);
		const parsed = Object.entries(members).map(([name, of]) => [name, of.parse(saved[name], `${path}.${name}`)]);
		return Object.fromEntries(parsed) as MembersOf<M>;
	},
});

type OptionalKeys<M> = {[K in keyof M]: undefined extends ValueOf<M[K]> ? K : never}[keyof M];
type PartsOf<M> = {readonly [K in Exclude<keyof M, OptionalKeys<M>>]: ValueOf<M[K]>} & {
	readonly [K in OptionalKeys<M>]?: Exclude<ValueOf<M[K]>, undefined>;
};

/** A field of {@link partOf} that may be absent. */
export const optional = <T>(of: SavedValue<T>): SavedValue<T | undefined> => ({
	save: (value) => (value === undefined ? undefined : of.save(value)),
	parse: (saved, path) => (saved === undefined ? undefined : of.parse(saved, path)),
});

/** These fields of an object that has others, which are passed over. */
export const partOf = <const M extends Members>(members: M): SavedValue<PartsOf<M>> => ({
	save: (value) => {
		const saved = Object.entries(members).map(([name, of]) => [name, of.save((value as never)[name])] as const);
		return Object.fromEntries(saved.filter(([, field]) => field !== undefined));
	},
	parse(saved, path) {
		if (!isObject(saved)) throw wrong(path);
		const parsed = Object.entries(members).map(([name, of]) => {
			const field = Object.hasOwn(saved, name) ? saved[name] : undefined;
			return [name, of.parse(field, `${path}.${name}`)] as const;
		});
		return Object.fromEntries(parsed.filter(([, field]) => field !== undefined)) as PartsOf<M>;
	},
});

/** An object of which nothing else is known. */
export const anyObject: SavedValue<Readonly<Record<string, unknown>>> = {
	save: (value) => value,
	parse(saved, path) {
		if (isObject(saved)) return saved;
		throw wrong(path);
	},
};

/** Text that looks like this. */
export const textLike = (pattern: RegExp): SavedValue<string> => ({
	save: (value) => value,
	parse(saved, path) {
		if (typeof saved === 'string' && pattern.test(saved)) return saved;
		throw wrong(path);
	},
});

/** A list of at most so many values. */
export const listOf = <T>(of: SavedValue<T>, most: number): SavedValue<readonly T[]> => ({
	save: (values) => values.map((value) => of.save(value)),
	parse(saved, path) {
		if (!Array.isArray(saved) || saved.length > most) throw wrong(path);
		return saved.map((value, index) => of.parse(value, `${path}.${index}`));
	},
});

/** At most so many values by their keys, which `key` says and checks; it gives undefined for what is no key. */
export const mapOf = <K, T>(
	key: {name(key: K): string; parse(name: string): K | undefined},
	of: SavedValue<T>,
	most: number,
): SavedValue<ReadonlyMap<K, T>> => ({
	save: (value) => Object.fromEntries([...value].map(([each, held]) => [key.name(each), of.save(held)])),
	parse(saved, path) {
		if (!isObject(saved)) throw wrong(path);
		const entries = Object.entries(saved);
		if (entries.length > most) throw wrong(path);
		return new Map(
			entries.map(([name, held]) => {
				const parsed = key.parse(name);
				const place = `${path}.${shortened(name)}`;
				if (parsed === undefined) throw wrong(place);
				return [parsed, of.parse(held, place)];
			}),
		);
	},
});
