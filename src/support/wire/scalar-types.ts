import {wireError} from './errors.ts';
import type {Reader, ViewArray, Writer} from './field.ts';

/** The typed array of each type of scalar. */
export interface Typed {
	readonly u8: Uint8Array;
	readonly u16: Uint16Array;
	readonly u32: Uint32Array;
	readonly i32: Int32Array;
	readonly u64: BigUint64Array;
	readonly i64: BigInt64Array;
	readonly f64: Float64Array;
}
/** Name of a type of scalar. */
export type ScalarType = keyof Typed;
/** A scalar's type as plain data. */
export type Natural<K extends ScalarType> = K extends 'u64' | 'i64' ? bigint : number;

/** One type of scalar: its size, its arrays, its numbers. */
interface Codec {
	readonly size: 1 | 2 | 4 | 8;
	readonly array: ViewArray;
	readonly of: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => ArrayBufferView;
	/** The numbers that fit; none for doubles. */
	readonly range?: readonly [least: number | bigint, most: number | bigint];
	readonly read: (offset: number, little: boolean) => Reader<number | bigint>;
	readonly write: (offset: number, little: boolean) => Writer<never>;
}

/** The types of scalars. Each reader is a function literal of its own, so that V8 sees one kind of access at each. */
export const codecs: {readonly [K in ScalarType]: Codec} = {
	u8: {
		size: 1,
		array: '$u8',
		of: Uint8Array,
		range: [0, 0xff],
		read: (at) => (v, base) => v.getUint8(base + at),
		write: (at) => (v: DataView, base: number, value: number) => v.setUint8(base + at, value),
	},
	u16: {
		size: 2,
		array: '$u16',
		of: Uint16Array,
		range: [0, 0xffff],
		read: (at, little) => (v, base) => v.getUint16(base + at, little),
		write: (at, little) => (v: DataView, base: number, value: number) => v.setUint16(base + at, value, little),
	},
	u32: {
		size: 4,
		array: '$u32',
		of: Uint32Array,
		range: [0, 0xffff_ffff],
		read: (at, little) => (v, base) => v.getUint32(base + at, little),
		write: (at, little) => (v: DataView, base: number, value: number) => v.setUint32(base + at, value, little),
	},
	i32: {
		size: 4,
		array: '$atomic',
		of: Int32Array,
		range: [-(2 ** 31), 2 ** 31 - 1],
		read: (at, little) => (v, base) => v.getInt32(base + at, little),
		write: (at, little) => (v: DataView, base: number, value: number) => v.setInt32(base + at, value, little),
	},
	u64: {
		size: 8,
		array: '$u64',
		of: BigUint64Array,
		range: [0n, 2n ** 64n - 1n],
		read: (at, little) => (v, base) => v.getBigUint64(base + at, little),
		write: (at, little) => (v: DataView, base: number, value: bigint) => v.setBigUint64(base + at, value, little),
	},
	i64: {
		size: 8,
		array: '$i64',
		of: BigInt64Array,
		range: [-(2n ** 63n), 2n ** 63n - 1n],
		read: (at, little) => (v, base) => v.getBigInt64(base + at, little),
		write: (at, little) => (v: DataView, base: number, value: bigint) => v.setBigInt64(base + at, value, little),
	},
	f64: {
		size: 8,
		array: '$f64',
		of: Float64Array,
		read: (at, little) => (v, base) => v.getFloat64(base + at, little),
		write: (at, little) => (v: DataView, base: number, value: number) => v.setFloat64(base + at, value, little),
	},
};

const isWide = (type: ScalarType): boolean => type === 'u64' || type === 'i64';

/** The value in the type that the codec takes, or an error that says why not. */
export function fitting(type: ScalarType, value: unknown, path: string): number | bigint {
	const refuse = () =>
		wireError('WIRE_VALUE_INVALID', {field: path, cause: `${String(value)} does not fit in ${type}`});
	if (typeof value !== 'number' && typeof value !== 'bigint') throw refuse();
	const {range} = codecs[type];
	if (range === undefined) return Number(value);
	if (typeof value === 'number' && !Number.isInteger(value)) throw refuse();
	if (value < range[0] || value > range[1]) throw refuse();
	return isWide(type) ? BigInt(value) : Number(value);
}

/** A reader of unsigned 64 bits as a number: exact below 2^53, and never below 2^53 for a value that is not. */
export function wideNumber(offset: number, little: boolean): Reader<number> {
	const [low, high] = little ? [offset, offset + 4] : [offset + 4, offset];
	return (v, base) => v.getUint32(base + high, little) * 2 ** 32 + v.getUint32(base + low, little);
}
