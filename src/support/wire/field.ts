import {wireError} from './errors.ts';

/** The types of a field's forms. Exists for the type checker only. */
export interface Forms {
	/** As plain data. */
	readonly plain: unknown;
	/** Values that may be given to be written. */
	readonly input: unknown;
	/** Its accessor in a view. */
	readonly view: unknown;
	/** Its accessor may be assigned to. */
	readonly assignable: boolean;
	/** Its accessor when the bytes came from a guest. */
	readonly guest: unknown;
}

/** Reads from the struct that begins at `base`. */
export type Reader<T = unknown> = (source: DataView, base: number) => T;
/** Writes into the struct that begins at `base`. */
export type Writer<T = unknown> = (target: DataView, base: number, value: T) => void;

/** The arrays over a view's own bytes that accessors work on. */
export const viewArrays = {
	$u8: (buffer: ArrayBufferLike, at: number, size: number) => new Uint8Array(buffer, at, size),
	$u16: (buffer: ArrayBufferLike, at: number, size: number) => new Uint16Array(buffer, at, size >> 1),
	$u32: (buffer: ArrayBufferLike, at: number, size: number) => new Uint32Array(buffer, at, size >> 2),
	$atomic: (buffer: ArrayBufferLike, at: number, size: number) => new Int32Array(buffer, at, size >> 2),
	$f64: (buffer: ArrayBufferLike, at: number, size: number) => new Float64Array(buffer, at, size >> 3),
	$u64: (buffer: ArrayBufferLike, at: number, size: number) => new BigUint64Array(buffer, at, size >> 3),
	$i64: (buffer: ArrayBufferLike, at: number, size: number) => new BigInt64Array(buffer, at, size >> 3),
	$data: (buffer: ArrayBufferLike, at: number, size: number) => new DataView(buffer, at, size),
} as const;
/** Name of one of {@link viewArrays}. */
export type ViewArray = keyof typeof viewArrays;
/** Arrays that an accessor finds in `this`. */
export type ViewArrays = {readonly [K in ViewArray]: ReturnType<(typeof viewArrays)[K]>};

/** A field that is an object of each view. */
export interface ObjectProperty {
	readonly make: (buffer: ArrayBufferLike, byteOffset: number) => unknown;
}
/** A field's form in a view: as an accessor that all views share, or as an object that each view has. */
export type ViewProperty =
	| {readonly needs: ViewArray; readonly accessor: PropertyDescriptor & ThisType<ViewArrays>}
	| ObjectProperty;

/** The members of the struct that a field is part of; an item of a list has none. */
export type Siblings = ReadonlyMap<string, PlacedField>;

/** A field in its place. */
export interface PlacedField {
	readonly field: AnyField;
	readonly offset: number;
}

/**
 * A field of a {@link Wire}: a size, an alignment, and readers and writers for wherever it lies. Immutable: {@link at} and its
 * like give a changed copy.
 */
export abstract class Field<F extends Forms = Forms> {
	declare readonly forms: F;
	/** Kind, for programs that walk over declarations. */
	abstract readonly kind: 'scalar' | 'halves' | 'array' | 'text' | 'reserved' | 'bits' | 'struct' | 'list' | 'union';
	/** In bytes. */
	abstract readonly size: number;
	/** The alignment that C gives it. */
	abstract readonly alignment: number;
	/** Offset by the specification. */
	readonly explicitOffset: number | undefined = undefined;
	/** Holds what the guest or its user keeps to themselves: inspect shows it with that mark. */
	readonly isSensitive: boolean = false;
	/** Value after reset; undefined: zeros, or what its own members have. */
	readonly initialValue: F['input'] | undefined = undefined;

	abstract reader(offset: number, siblings: Siblings): Reader<F['plain']>;
	/** @param path - names the field in errors */
	abstract writer(offset: number, path: string, siblings: Siblings): Writer<F['input']>;
	/** @param isAligned - the struct begins at a multiple of its alignment, as packed ones need not */
	abstract viewProperty(offset: number, isAligned: boolean): ViewProperty;

	/** Writes what the field holds after reset over zeros. */
	writeInitial(target: DataView, offset: number, path: string, siblings: Siblings): void {
		if (this.initialValue !== undefined) this.writer(offset, path, siblings)(target, 0, this.initialValue);
	}

	/** Says where it lies, as its specification prints it. */
	at(offset: number): this {
		return this.changed({explicitOffset: offset});
	}

	/** Gives it a value after reset that is not zero. */
	initial(value: F['input']): this {
		return this.changed({initialValue: value});
	}

	/** Marks it as {@link isSensitive}. */
	sensitive(): this {
		return this.changed({isSensitive: true});
	}

	protected changed(changes: object): this {
		return Object.assign(Object.create(this) as this, changes);
	}
}

// biome-ignore lint/suspicious/noExplicitAny: existential over the forms; each field is checked where it is declared
export type AnyField = Field<any>;

/** Bytes without a meaning. */
export class Reserved extends Field<{plain: never; input: unknown; view: never; assignable: false; guest: never}> {
	readonly kind = 'reserved';
	readonly size: number;
	readonly alignment = 1;

	constructor(size: number) {
		super();
		this.size = size;
	}

	reader(): Reader<never> {
		throw new TypeError('reserved bytes are not read');
	}
	writer(): Writer {
		throw new TypeError('reserved bytes are not written');
	}
	viewProperty(): ViewProperty {
		throw new TypeError('reserved bytes are not viewed');
	}
}

/** `size` bytes that mean nothing: no form of the struct has them, and they are written as zeros. */
export const reserved = (size: number): Reserved => new Reserved(checkedCount(size, 'reserved'));

/** Checks how often something occurs. */
export function checkedCount(count: number, what: string): number {
	if (!Number.isInteger(count) || count < 1 || count > 2 ** 31)
		throw wireError('WIRE_DECLARATION_INVALID', {wire: what, cause: `there are ${count} of it`});
	return count;
}

/** The DataView over the same bytes. */
export const viewOf = (bytes: ArrayBufferView): DataView =>
	bytes instanceof DataView ? bytes : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
