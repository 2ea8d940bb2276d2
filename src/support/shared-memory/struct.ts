/**
 * Typed structs in shared memory. One declaration gives the layout, the initial values (reset), the accessors every
 * thread uses, and the decoded form (inspect, saved state).
 */

/** A scalar of the struct: its accessor is a number. */
export interface Scalar {
	readonly type: 'u8' | 'u16' | 'u32' | 'i32' | 'f64';
	/** Value after reset. */
	readonly initial: number;
	readonly sensitive?: boolean;
}
/** A fixed array of the struct: its accessor is a typed array over the shared bytes. */
export interface FixedArray {
	readonly type: 'bytes' | 'words';
	readonly length: number;
	readonly sensitive?: boolean;
}
export type Field = Scalar | FixedArray;
export type Fields = Readonly<Record<string, Field>>;

export const u8 = (initial = 0): Scalar => ({type: 'u8', initial});
export const u16 = (initial = 0): Scalar => ({type: 'u16', initial});
export const u32 = (initial = 0): Scalar => ({type: 'u32', initial});
/** Signed; the type for words used with `Atomics` through {@link StructView.$atomic}. */
export const i32 = (initial = 0): Scalar => ({type: 'i32', initial});
/** A double: times in nanoseconds and counters that may pass 2^32. */
export const f64 = (initial = 0): Scalar => ({type: 'f64', initial});
/** `length` bytes, a `Uint8Array`, zero after reset. */
export const bytes = (length: number): {type: 'bytes'; length: number} => ({type: 'bytes', length});
/** `length` 32-bit words, an `Int32Array` (so `Atomics` works on it), zero after reset. */
export const words = (length: number): {type: 'words'; length: number} => ({type: 'words', length});

/** Marks a field that holds what the guest or its user keeps to themselves: inspect shows it with that mark. */
export const sensitive = <F extends Field>(field: F): F => ({...field, sensitive: true});

type ValueOf<F extends Field> = F extends Scalar ? number : F extends {type: 'bytes'} ? Uint8Array : Int32Array;
type Mutable<T extends Fields> = {-readonly [K in keyof T as T[K] extends Scalar ? K : never]: number} & {
	readonly [K in keyof T as T[K] extends Scalar ? never : K]: ValueOf<T[K]>;
};
/** The decoded form: plain numbers and arrays of numbers. */
export type Decoded = Record<string, number | number[]>;

/** The live struct: one accessor per field, over shared bytes. */
export type StructView<T extends Fields> = Mutable<T> & {
	/** The struct's bytes as 32-bit words, for `Atomics`; index with {@link StructSchema.word}. */
	readonly $atomic: Int32Array;
};

const sizes = {u8: 1, u16: 2, u32: 4, i32: 4, f64: 8, bytes: 1, words: 4} as const;

/** A struct's layout, shared by every thread that declares it. */
export class StructSchema<T extends Fields> {
	readonly name: string;
	readonly fields: T;
	/** Size in bytes, a multiple of 64 so that two structs never share a cache line. */
	readonly byteLength: number;
	readonly #offsets = new Map<string, number>();
	readonly #prototype: object;

	constructor(name: string, fields: T) {
		this.name = name;
		this.fields = fields;
		let offset = 0;
		for (const [key, field] of Object.entries(fields)) {
			const size = sizes[field.type];
			offset = Math.ceil(offset / size) * size;
			this.#offsets.set(key, offset);
			offset += size * ('length' in field ? field.length : 1);
		}
		this.byteLength = Math.max(64, Math.ceil(offset / 64) * 64);
		this.#prototype = this.#accessors();
	}

	/** Index of a 32-bit field in {@link StructView.$atomic}. */
	word(field: string): number {
		return this.#offset(field) >> 2;
	}

	/** The struct living at `byteOffset` (64-byte aligned) of `buffer`. Does not touch the bytes. */
	on(buffer: SharedArrayBuffer, byteOffset = 0): StructView<T> {
		const view = Object.create(this.#prototype) as Record<string, unknown>;
		const length = this.byteLength;
		view['$u8'] = new Uint8Array(buffer, byteOffset, length);
		view['$u16'] = new Uint16Array(buffer, byteOffset, length >> 1);
		view['$u32'] = new Uint32Array(buffer, byteOffset, length >> 2);
		view['$atomic'] = new Int32Array(buffer, byteOffset, length >> 2);
		view['$f64'] = new Float64Array(buffer, byteOffset, length >> 3);
		for (const [key, field] of Object.entries(this.fields)) {
			const start = byteOffset + this.#offset(key);
			if (field.type === 'bytes') view[key] = new Uint8Array(buffer, start, field.length);
			if (field.type === 'words') view[key] = new Int32Array(buffer, start, field.length);
		}
		return view as unknown as StructView<T>;
	}

	/** Writes every field's initial value. */
	reset(view: StructView<T>): void {
		const target = view as Record<string, unknown>;
		for (const [key, field] of Object.entries(this.fields)) {
			if ('initial' in field) target[key] = field.initial;
			else (target[key] as Uint8Array | Int32Array).fill(0);
		}
	}

	/** The struct as plain data. */
	decode(view: StructView<T>): Decoded {
		const source = view as unknown as Record<string, number | Uint8Array | Int32Array>;
		return Object.fromEntries(
			Object.keys(this.fields).map((key) => {
				const value = source[key] as number | Uint8Array | Int32Array;
				return [key, typeof value === 'number' ? value : Array.from(value)];
			}),
		);
	}

	#offset(field: string): number {
		const offset = this.#offsets.get(field);
		if (offset === undefined) throw new TypeError(`struct ${this.name} has no field ${field}`);
		return offset;
	}

	#accessors(): object {
		const prototype = {};
		for (const [key, field] of Object.entries(this.fields)) {
			if (!('initial' in field)) continue;
			const index = this.#offset(key) / sizes[field.type];
			Object.defineProperty(prototype, key, accessor(field.type, index));
		}
		return prototype;
	}
}

interface Arrays {
	readonly $u8: Uint8Array;
	readonly $u16: Uint16Array;
	readonly $u32: Uint32Array;
	readonly $atomic: Int32Array;
	readonly $f64: Float64Array;
}

/** One accessor pair, monomorphic on its array so that V8 inlines it on the exit path. */
function accessor(type: Scalar['type'], index: number): PropertyDescriptor & ThisType<Arrays> {
	switch (type) {
		case 'u8':
			return {
				get() {
					return this.$u8[index];
				},
				set(value: number) {
					this.$u8[index] = value;
				},
			};
		case 'u16':
			return {
				get() {
					return this.$u16[index];
				},
				set(value: number) {
					this.$u16[index] = value;
				},
			};
		case 'u32':
			return {
				get() {
					return this.$u32[index];
				},
				set(value: number) {
					this.$u32[index] = value;
				},
			};
		case 'i32':
			return {
				get() {
					return this.$atomic[index];
				},
				set(value: number) {
					this.$atomic[index] = value;
				},
			};
		case 'f64':
			return {
				get() {
					return this.$f64[index];
				},
				set(value: number) {
					this.$f64[index] = value;
				},
			};
	}
}

/** Declares a struct. */
export function sharedStruct<const T extends Fields>(name: string, fields: T): StructSchema<T> {
	return new StructSchema(name, fields);
}
