/** C struct layouts as data: every field with its offset, checked against the compiler's view of the kernel headers. */

/** The C types that KVM's structs are made of. */
export type ScalarType = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'i64';

/** A scalar field. 64-bit values are bigints. */
export interface ScalarField<T extends ScalarType = ScalarType> {
	readonly kind: 'scalar';
	readonly type: T;
	readonly offset: number;
}
/** A fixed array of scalars. An array of `u8` is a `Uint8Array`. */
export interface ArrayField<T extends ScalarType = ScalarType> {
	readonly kind: 'array';
	readonly type: T;
	readonly offset: number;
	readonly length: number;
}
/** A struct inside a struct. */
export interface NestedField<F extends Fields = Fields> {
	readonly kind: 'nested';
	readonly layout: Layout<F>;
	readonly offset: number;
}
/** A fixed array of structs. */
export interface NestedArrayField<F extends Fields = Fields> {
	readonly kind: 'nested-array';
	readonly layout: Layout<F>;
	readonly offset: number;
	readonly length: number;
}
// biome-ignore lint/suspicious/noExplicitAny: existential over the nested struct's fields; each layout is checked where it is declared
export type Field = ScalarField | ArrayField | NestedField<any> | NestedArrayField<any>;
export type Fields = Readonly<Record<string, Field>>;

type ScalarValue<T extends ScalarType> = T extends 'u64' | 'i64' ? bigint : number;
type FieldValue<F> =
	F extends NestedField<infer N>
		? StructValue<N>
		: F extends NestedArrayField<infer N>
			? readonly StructValue<N>[]
			: F extends ScalarField<infer T>
				? ScalarValue<T>
				: F extends ArrayField<'u8'>
					? Uint8Array
					: F extends ArrayField<infer T>
						? readonly ScalarValue<T>[]
						: never;

/** A struct as plain data: numbers, bigints, byte arrays, lists. */
export type StructValue<F extends Fields> = {readonly [K in keyof F]: FieldValue<F[K]>};
/** The plain data of a {@link Layout}. */
export type ValueOf<L> = L extends Layout<infer F> ? StructValue<F> : never;

/** Bytes of a scalar. */
export const scalarSizes = {u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, i64: 8} as const;

function declare<const T extends ScalarType>(type: T) {
	function field(offset: number): ScalarField<T>;
	function field(offset: number, length: number): ArrayField<T>;
	function field(offset: number, length?: number): ScalarField<T> | ArrayField<T> {
		return length === undefined ? {kind: 'scalar', type, offset} : {kind: 'array', type, offset, length};
	}
	return field;
}

/** Fields by C type: `u32(8)` is a scalar at offset 8, `u32(8, 4)` an array of four. */
export const u8 = declare('u8');
export const u16 = declare('u16');
export const u32 = declare('u32');
export const i32 = declare('i32');
export const u64 = declare('u64');
export const i64 = declare('i64');

/** A struct inside a struct. */
export const nested = <F extends Fields>(offset: number, layout: Layout<F>): NestedField<F> => ({
	kind: 'nested',
	layout,
	offset,
});

/** A fixed array of structs. */
export const nestedArray = <F extends Fields>(
	offset: number,
	layout: Layout<F>,
	length: number,
): NestedArrayField<F> => ({kind: 'nested-array', layout, offset, length});

type Reader = (view: DataView, at: number) => number | bigint;
const readers: Readonly<Record<ScalarType, Reader>> = {
	u8: (view, at) => view.getUint8(at),
	u16: (view, at) => view.getUint16(at, true),
	u32: (view, at) => view.getUint32(at, true),
	i32: (view, at) => view.getInt32(at, true),
	u64: (view, at) => view.getBigUint64(at, true),
	i64: (view, at) => view.getBigInt64(at, true),
};

type Writer = (view: DataView, at: number, value: number | bigint) => void;
const writers: Readonly<Record<ScalarType, Writer>> = {
	u8: (view, at, value) => view.setUint8(at, Number(value)),
	u16: (view, at, value) => view.setUint16(at, Number(value), true),
	u32: (view, at, value) => view.setUint32(at, Number(value), true),
	i32: (view, at, value) => view.setInt32(at, Number(value), true),
	u64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
	i64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
};

const positions = (field: ArrayField | NestedArrayField, size: number) =>
	Array.from({length: field.length}, (_, index) => field.offset + index * size);

function readField(view: DataView, at: number, field: Field): unknown {
	switch (field.kind) {
		case 'scalar':
			return readers[field.type](view, at + field.offset);
		case 'array':
			return field.type === 'u8'
				? new Uint8Array(view.buffer, view.byteOffset + at + field.offset, field.length).slice()
				: positions(field, scalarSizes[field.type]).map((offset) => readers[field.type](view, at + offset));
		case 'nested':
			return field.layout.read(view, at + field.offset);
		case 'nested-array':
			return positions(field, field.layout.size).map((offset) => field.layout.read(view, at + offset));
	}
}

function writeField(view: DataView, at: number, field: Field, value: unknown): void {
	const start = at + field.offset;
	if (field.kind === 'scalar') {
		writers[field.type](view, start, value as number | bigint);
	} else if (field.kind === 'array') {
		const list = Array.from(value as ArrayLike<number | bigint>).slice(0, field.length);
		for (const [index, item] of list.entries())
			writers[field.type](view, start + index * scalarSizes[field.type], item);
	} else if (field.kind === 'nested') {
		field.layout.write(view, start, value as StructValue<Fields>);
	} else {
		const list = (value as readonly StructValue<Fields>[]).slice(0, field.length);
		for (const [index, item] of list.entries()) field.layout.write(view, start + index * field.layout.size, item);
	}
}

/** One C struct: name, size in bytes and fields. Not for the exit path, which reads single fields by {@link offset}. */
export class Layout<F extends Fields> {
	/** The struct's tag in C, or the member's name for an anonymous struct. */
	readonly name: string;
	/** `sizeof`, without a trailing flexible array. */
	readonly size: number;
	readonly fields: F;

	constructor(name: string, size: number, fields: F) {
		this.name = name;
		this.size = size;
		this.fields = fields;
	}

	/** Offset of a field in bytes. */
	offset(field: keyof F & string): number {
		return (this.fields[field] as Field).offset;
	}

	/** The struct at `at` as plain data; shares nothing with the view. */
	read(view: DataView, at = 0): StructValue<F> {
		return Object.fromEntries(
			Object.entries(this.fields).map(([name, field]) => [name, readField(view, at, field)]),
		) as StructValue<F>;
	}

	/** Writes the struct at `at`; fields not given, and padding, are zero. */
	write(view: DataView, at: number, values: Partial<StructValue<F>>): void {
		new Uint8Array(view.buffer, view.byteOffset + at, this.size).fill(0);
		for (const [name, field] of Object.entries(this.fields)) {
			const value = (values as Record<string, unknown>)[name];
			if (value !== undefined) writeField(view, at, field, value);
		}
	}
}

/** Declares a C struct. */
export const layout = <const F extends Fields>(name: string, size: number, fields: F): Layout<F> =>
	new Layout(name, size, fields);
