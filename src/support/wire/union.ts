import {wireError} from './errors.ts';
import {Field, type Reader, type Siblings, type ViewProperty, type Writer} from './field.ts';
import {tooLong} from './scalar.ts';
import type {Wire} from './wire.ts';

/** An arm: the value of the tag that says that it is there, or several, and its struct. */
// biome-ignore lint/suspicious/noExplicitAny: existential over the arm's fields
type Arm = readonly [tag: number | readonly number[], layout: Wire<any>];
type Arms = Readonly<Record<string, Arm>>;
type OneOf<A extends Arms, N extends 'plain' | 'input'> = {
	[K in keyof A & string]: {readonly kind: K; readonly value: A[K][1]['forms'][N]};
}[keyof A & string];
/** The bytes of a union whose tag names no arm. */
export interface UnknownArm {
	readonly kind: undefined;
	readonly value: Uint8Array;
}

/**
 * One of several structs; a number in the same struct, the tag, says which. Open: with any other tag it is bytes. A view has all
 * of them, one over the other, and its user looks at the tag.
 */
export class Union<A extends Arms = Arms> extends Field<{
	plain: OneOf<A, 'plain'> | UnknownArm;
	input: OneOf<A, 'input'> | UnknownArm;
	view: {readonly [K in keyof A]: A[K][1]['forms']['view']};
	assignable: false;
	guest: {readonly [K in keyof A]: A[K][1]['forms']['guest']};
}> {
	readonly kind = 'union';
	readonly tag: string;
	readonly arms: A;
	readonly size: number;
	readonly alignment: number;

	constructor(tag: string, arms: A, size: number | undefined) {
		super();
		const layouts = Object.values(arms).map(([, layout]) => layout);
		const refuse = (cause: string) => wireError('WIRE_DECLARATION_INVALID', {wire: `the union by ${tag}`, cause});
		if (layouts.length === 0) throw refuse('it has no arms');
		const tags = Object.values(arms).map(([value]) => [value].flat());
		if (tags.some(({length}) => length === 0)) throw refuse('an arm has no tag');
		if (new Set(tags.flat()).size < tags.flat().length) throw refuse('two arms have one tag');
		this.tag = tag;
		this.arms = arms;
		this.alignment = Math.max(...layouts.map(({alignment}) => alignment));
		const largest = Math.ceil(Math.max(...layouts.map((layout) => layout.size)) / this.alignment) * this.alignment;
		this.size = size ?? largest;
		if (!Number.isInteger(this.size) || this.size < largest) throw refuse(`${size} bytes are too few for its arms`);
	}

	reader(offset: number, siblings: Siblings): Reader<OneOf<A, 'plain'> | UnknownArm> {
		const {size} = this;
		const readTag = tagField(this, offset, siblings).reader;
		const readers = Object.entries(this.arms).map(([kind, [, layout]]) => ({kind, read: layout.reader(offset)}));
		const indexes = indexByTag(this.arms);
		return (source, base) => {
			const arm = readers[indexes.get(readTag(source, base)) ?? -1];
			if (arm !== undefined) return {kind: arm.kind, value: arm.read(source, base)} as OneOf<A, 'plain'>;
			return {kind: undefined, value: bytesAt(source, base + offset, size).slice()};
		};
	}

	/** Writes the tag too, where it does not name the value's kind already. Bytes that no arm takes are zero. */
	writer(offset: number, path: string, siblings: Siblings): Writer<OneOf<A, 'input'> | UnknownArm> {
		const {arms, size} = this;
		const tagged = tagField(this, offset, siblings);
		const writeTag = tagged.writer(`${path}'s tag`);
		return (target, base, given) => {
			const {kind, value} = given as UnknownArm | {readonly kind: string; readonly value: object};
			const room = bytesAt(target, base + offset, size);
			if (kind === undefined) {
				if (value.length > size) throw tooLong(path, value.length, size);
				room.fill(0);
				room.set(value);
				return;
			}
			const arm = Object.hasOwn(arms, kind) ? arms[kind] : undefined;
			if (arm === undefined) throw wireError('WIRE_VALUE_INVALID', {field: path, cause: `it has no arm ${kind}`});
			const [, layout] = arm;
			const tags = [arm[0]].flat();
			if (!tags.includes(tagged.reader(target, base))) writeTag(target, base, tags[0] as number);
			room.fill(0);
			layout.write(target, base + offset, value);
		};
	}

	viewProperty(offset: number): ViewProperty {
		const arms = Object.entries(this.arms);
		return {
			make: (buffer, byteOffset) =>
				Object.fromEntries(arms.map(([kind, [, layout]]) => [kind, layout.on(buffer, byteOffset + offset)])),
		};
	}
}

const bytesAt = (view: DataView, at: number, length: number): Uint8Array =>
	new Uint8Array(view.buffer, view.byteOffset + at, length);

const indexByTag = (arms: Arms): Map<number, number> =>
	new Map(Object.values(arms).flatMap(([tags], index) => [tags].flat().map((tag) => [tag, index])));

/** The tag's field in the struct. It lies before the union: whoever writes it behind that could name another arm than was written. */
function tagField({tag, arms}: Pick<Union, 'tag' | 'arms'>, unionOffset: number, siblings: Siblings) {
	const refuse = (cause: string) => wireError('WIRE_DECLARATION_INVALID', {wire: `the union by ${tag}`, cause});
	const {field, offset} = siblings.get(tag) ?? {};
	if (field?.kind !== 'scalar' || offset === undefined) throw refuse(`the struct has no number ${tag}`);
	if (offset >= unionOffset) throw refuse(`${tag} lies behind it`);
	const scratch = new DataView(new ArrayBuffer(field.size));
	// Values that the tag cannot have are refused by its own writer.
	for (const [values] of Object.values(arms))
		for (const value of [values].flat()) field.writer(0, tag, siblings)(scratch, 0, value);
	return {
		reader: field.reader(offset, siblings) as Reader<number>,
		writer: (path: string) => field.writer(offset, path, siblings) as Writer<number>,
	};
}

/** A union of structs by the field `tag`. @param size - where the specification leaves room for more */
export const union = <const A extends Arms>(tag: string, arms: A, size?: number): Union<A> =>
	new Union(tag, arms, size);
