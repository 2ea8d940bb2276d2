import type {Cell, Pair} from './cell.ts';
import {wireError} from './errors.ts';
import {
	type AnyField,
	Field,
	type PlacedField,
	type Reader,
	type ViewArray,
	type ViewProperty,
	viewArrays,
	viewOf,
	type Writer,
} from './field.ts';
import {type PlacementStyle, placeFields} from './placement.ts';
import {type Halves, type Scalar, ScalarArray, u32} from './scalar.ts';

/** So many objects of a view, beside its arrays, are few. */
const fewObjects = 6;

/** The fields of a struct, by name. */
export type Fields = Readonly<Record<string, AnyField>>;

type Form<F extends AnyField, N extends 'plain' | 'input' | 'view' | 'guest'> = F['forms'][N];
/** Fields that have a value: all but reserved ones. */
type Named<T extends Fields> = {[K in keyof T]: [Form<T[K], 'plain'>] extends [never] ? never : K}[keyof T];
/** Fields of one kind. */
type Of<T extends Fields, F> = {[K in keyof T]: T[K] extends F ? K : never}[keyof T];
type Assignable<T extends Fields> = {[K in keyof T]: T[K]['forms']['assignable'] extends true ? K : never}[keyof T];

/** A struct as plain data, which shares nothing with the bytes it was read from. */
export type PlainFields<T extends Fields> = {readonly [K in Named<T>]: Form<T[K], 'plain'>};
/** Values of a struct that may be given to be written: numbers that fit, names, lists that are not too long. */
export type InputFields<T extends Fields> = {readonly [K in Named<T>]?: Form<T[K], 'input'> | undefined};
/** A struct in a buffer: accessors for its numbers, objects for its arrays, structs and registers of bits. */
export type FieldsView<T extends Fields> = {-readonly [K in Assignable<T>]: Form<T[K], 'view'>} & {
	readonly [K in Exclude<Named<T>, Assignable<T>>]: Form<T[K], 'view'>;
} & {
	/** The struct's bytes. */
	readonly $bytes: Uint8Array;
	/** The struct's bytes as 32-bit words, for `Atomics`; index with {@link Wire.word}. */
	readonly $atomic: Int32Array;
};
/** A struct that a guest wrote. */
export type GuestFields<T extends Fields> = {readonly [K in Named<T>]: Form<T[K], 'guest'>};

/** The plain data of a {@link Wire} or another field. */
export type PlainOf<F extends AnyField> = Form<F, 'plain'>;
/** Input that a {@link Wire} writes. */
export type InputOf<F extends AnyField> = Form<F, 'input'>;
/** A {@link Wire} in a buffer. */
export type ViewOf<F extends AnyField> = Form<F, 'view'>;

/** One field of a struct by itself: read and written where it lies, without an object. */
export interface FieldHandle<F extends AnyField> {
	readonly offset: number;
	readonly size: number;
	/** The field of the struct at `base`. */
	get(source: DataView, base?: number): Form<F, 'plain'>;
	/** Throws for a value that does not fit. */
	set(target: DataView, base: number, value: Form<F, 'input'>): void;
}
type Handles<T extends Fields> = {readonly [K in Named<T>]: FieldHandle<T[K]>};

interface Member extends PlacedField {
	readonly name: string;
	readonly read: Reader;
	readonly write: Writer;
}

/** Structs in shared memory begin at multiples of this, so that two never share a cache line. */
const cacheLine = 64;

/**
 * A struct as its specification has it. From one declaration come plain data read from bytes and written to them, accessors over
 * shared memory, and what a guest wrote; the struct itself is a field, for structs that contain it.
 */
export class Wire<T extends Fields = Fields> extends Field<{
	plain: PlainFields<T>;
	input: InputFields<T>;
	view: FieldsView<T>;
	assignable: false;
	guest: GuestFields<T>;
}> {
	readonly kind = 'struct';
	readonly name: string;
	readonly fields: T;
	readonly size: number;
	readonly alignment: number;
	/** Specification and section that it is from. */
	readonly section: string | undefined = undefined;
	readonly style: PlacementStyle;
	readonly places: ReadonlyMap<string, PlacedField>;
	/** Holds parts that are made on first use: a thread never uses most declarations that it loads, or uses them in one way. */
	readonly made: Made = {};

	constructor(name: string, fields: T, style: PlacementStyle) {
		super();
		const {members, size, alignment} = placeFields(name, fields, style);
		this.name = name;
		this.fields = fields;
		this.size = size;
		this.alignment = alignment;
		this.style = style;
		this.places = members;
		checkValues(this);
	}

	/** Single fields, for where no object shall come to be. */
	get field(): Handles<T> {
		this.made.handles ??= Object.fromEntries(this.members.map((member) => [member.name, handleOf(member)]));
		return this.made.handles as Handles<T>;
	}

	/** The struct after reset. */
	get initialBytes(): Uint8Array {
		this.made.initialBytes ??= initialBytesOf(this);
		return this.made.initialBytes;
	}

	/** The fields that have a value, in their order. */
	get members(): readonly Member[] {
		this.made.members ??= membersOf(this);
		return this.made.members;
	}

	/**
	 * Says how many bytes the specification gives the struct, and in which section it does.
	 * @throws VmmError WIRE_DECLARATION_INVALID when the fields have another size
	 */
	sized(size: number, section?: string): this {
		if (this.style === 'sparse' ? !(Number.isInteger(size) && size >= this.size) : size !== this.size) {
			const cause = `it has ${size} bytes, but its fields end at ${this.size}`;
			throw wireError('WIRE_DECLARATION_INVALID', {wire: this.name, cause});
		}
		return this.changed({size, section, made: {}});
	}

	/** Bytes that a view takes up in shared memory, at least. */
	get byteLength(): number {
		return Math.ceil(this.size / cacheLine) * cacheLine;
	}

	/** Gives the offset of a field, in bytes. */
	offset(name: Named<T> & string): number {
		return placeOf(this, name).offset;
	}

	/** Index of a 32-bit field in a view's `$atomic`. */
	word(name: Named<T> & string): number {
		const {offset, field} = placeOf(this, name);
		if (field.size === 4 && offset % 4 === 0) return offset / 4;
		throw wireError('WIRE_DECLARATION_INVALID', {wire: this.name, cause: `${name} is no 32-bit word`});
	}

	/** A double of a view in place, for code that must make no garbage: the number that an accessor returns may be an object. */
	cell(view: FieldsView<T>, name: Of<T, Scalar<'f64'>> & string): Cell {
		return this.#numbers(view, name, placeOf(this, name).field as Scalar, 1) as Cell;
	}

	/** Halves of a view in place, as {@link cell} has a double. */
	pair(view: FieldsView<T>, name: Of<T, Halves> & string): Pair {
		return this.#numbers(view, name, u32, 2) as Pair;
	}

	#numbers({$bytes}: FieldsView<T>, name: string, item: Scalar, count: number): unknown {
		const {make} = new ScalarArray(item, count).viewProperty(placeOf(this, name).offset, this.alignment > 1);
		return make($bytes.buffer, $bytes.byteOffset);
	}

	/** True when the whole struct lies in `bytes` at `at`. */
	fits(bytes: ArrayBufferView, at = 0): boolean {
		return Number.isSafeInteger(at) && at >= 0 && at + this.size <= bytes.byteLength;
	}

	/** The struct at `at` as plain data. */
	read(bytes: ArrayBufferView, at = 0): PlainFields<T> {
		return plainOf(this.members, viewOf(bytes), at) as PlainFields<T>;
	}

	/** Writes the whole struct: fields that are not given have their value after reset, padding is zero. */
	write(bytes: ArrayBufferView, at: number, values: InputFields<T>): void {
		const target = viewOf(bytes);
		bytesOf(target, at, this.size).set(this.initialBytes);
		this.patch(target, at, values);
	}

	/** Writes the given fields of the struct at `at`. */
	patch(bytes: ArrayBufferView, at: number, values: InputFields<T>): void {
		const target = viewOf(bytes);
		for (const {name, write} of this.members) {
			const value = (values as Readonly<Record<string, unknown>>)[name];
			if (value !== undefined) write(target, at, value);
		}
	}

	/** The struct's bytes; fields that are not given have their value after reset. */
	encode(values: InputFields<T>): Uint8Array<ArrayBuffer> {
		const bytes = new Uint8Array(this.size);
		this.write(bytes, 0, values);
		return bytes;
	}

	/** The struct that lies at `byteOffset` of `buffer`, aligned as its fields need. Does not touch the bytes. */
	on(buffer: ArrayBufferLike, byteOffset = 0): FieldsView<T> {
		this.made.view ??= viewPlan(this);
		const {prototype, arrays, objects} = this.made.view;
		const view = Object.create(prototype) as Record<string, unknown>;
		const add = (name: string, value: unknown) => {
			// Of more than a dozen that are set by a name which is not written down V8 makes a dictionary, in which all takes ten times as long.
			if (objects.length < fewObjects) view[name] = value;
			else Object.defineProperty(view, name, {value, writable: true, enumerable: true, configurable: true});
		};
		add('$bytes', new Uint8Array(buffer, byteOffset, this.size));
		for (const name of arrays) add(name, viewArrays[name](buffer, byteOffset, this.size));
		for (const {name, make} of objects) add(name, make(buffer, byteOffset));
		return view as FieldsView<T>;
	}

	/** Gives the struct of a view its values after reset. */
	reset(view: FieldsView<T>): void {
		view.$bytes.set(this.initialBytes);
	}

	/** The struct of a view as plain data. */
	decode(view: FieldsView<T>): PlainFields<T> {
		return this.read(view.$bytes);
	}

	reader(offset: number): Reader<PlainFields<T>> {
		return (source, base) => this.read(source, base + offset);
	}

	writer(offset: number): Writer<InputFields<T>> {
		return (target, base, values) => this.patch(target, base + offset, values);
	}

	viewProperty(offset: number): ViewProperty {
		return {make: (buffer, byteOffset) => this.on(buffer, byteOffset + offset)};
	}

	/** Gives some of its fields other values after reset than they have themselves. */
	override initial(values: InputFields<T>): this {
		const changed = this.changed({initialValue: values, made: {}});
		changed.made.initialBytes = initialBytesOf(changed);
		return changed;
	}

	override writeInitial(target: DataView, offset: number): void {
		bytesOf(target, offset, this.size).set(this.initialBytes);
	}
}

/**
 * Declares a struct. Fields lie as C places them, or where they say themselves that they lie.
 * @throws VmmError WIRE_DECLARATION_INVALID, WIRE_VALUE_INVALID for what a struct cannot be
 */
export const wire = <const T extends Fields>(name: string, fields: T): Wire<T> => new Wire(name, fields, 'whole');

/** Declares a struct whose fields follow each other without padding. */
export const packed = <const T extends Fields>(name: string, fields: T): Wire<T> => new Wire(name, fields, 'packed');

/** Declares some fields of a struct, by their offsets: others, of which nobody asks, may lie between them and behind. */
export const sparse = <const T extends Fields>(name: string, fields: T): Wire<T> => new Wire(name, fields, 'sparse');

const bytesOf = (view: DataView, at: number, length: number): Uint8Array =>
	new Uint8Array(view.buffer, view.byteOffset + at, length);

function plainOf(members: readonly Member[], source: DataView, at: number): Record<string, unknown> {
	const plain: Record<string, unknown> = {};
	for (const {name, read} of members) plain[name] = read(source, at);
	return plain;
}

interface Made {
	members?: readonly Member[];
	handles?: object;
	initialBytes?: Uint8Array;
	view?: ViewPlan;
}

function placeOf({name, places}: Wire, field: string): PlacedField {
	const place = places.get(field);
	if (place === undefined) throw new TypeError(`${name} has no field ${field}`);
	return place;
}

/** Checks values when they are declared, not when they are used: those after reset, and the tags of unions. */
function checkValues(layout: Wire): void {
	for (const {field, offset} of layout.places.values()) {
		if (field.kind === 'union') field.reader(offset, layout.places);
		if (field.initialValue !== undefined) layout.made.initialBytes ??= initialBytesOf(layout);
	}
}

function initialBytesOf(layout: Wire): Uint8Array {
	const {name, size, places, initialValue} = layout;
	const bytes = new Uint8Array(size);
	for (const [member, {field, offset}] of places)
		field.writeInitial(viewOf(bytes), offset, `${name}.${member}`, places);
	if (initialValue !== undefined) layout.patch(bytes, 0, initialValue);
	return bytes;
}

function membersOf({name, places}: Wire): Member[] {
	return [...places]
		.filter(([, {field}]) => field.kind !== 'reserved')
		.map(([member, {field, offset}]) => ({
			name: member,
			field,
			offset,
			read: field.reader(offset, places),
			write: field.writer(offset, `${name}.${member}`, places),
		}));
}

const handleOf = ({field, offset, read, write}: Member): FieldHandle<AnyField> => ({
	offset,
	size: field.size,
	get: (source, base = 0) => read(source, base),
	set: write,
});

interface ViewPlan {
	readonly prototype: object;
	/** The arrays that accessors need. */
	readonly arrays: readonly ViewArray[];
	readonly objects: readonly {readonly name: string; make(buffer: ArrayBufferLike, byteOffset: number): unknown}[];
}

function viewPlan({places, alignment}: Wire): ViewPlan {
	const prototype = {};
	const arrays = new Set<ViewArray>(alignment >= 4 ? ['$atomic'] : []);
	const objects: ViewPlan['objects'][number][] = [];
	for (const [name, {field, offset}] of places) {
		if (field.kind === 'reserved') continue;
		const property = field.viewProperty(offset, alignment > 1);
		if ('make' in property) objects.push({name, make: property.make});
		else {
			arrays.add(property.needs);
			Object.defineProperty(prototype, name, property.accessor);
		}
	}
	return {prototype, arrays: [...arrays], objects};
}
