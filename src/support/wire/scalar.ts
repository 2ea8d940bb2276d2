import type {Guest} from '#support/trust';
import {wireError} from './errors.ts';
import {checkedCount, Field, type ObjectProperty, type Reader, type ViewProperty, type Writer} from './field.ts';
import {accessor, dataAccessor, wideAccessor} from './scalar-accessors.ts';
import {codecs, fitting, type Natural, type ScalarType, type Typed, wideNumber} from './scalar-types.ts';

/** One number. */
export class Scalar<K extends ScalarType = ScalarType, V extends number | bigint = Natural<K>> extends Field<{
	plain: V;
	input: number | bigint;
	view: V;
	assignable: true;
	guest: Guest<V>;
}> {
	readonly kind = 'scalar';
	readonly type: K;
	readonly size: number;
	readonly alignment: number;
	readonly isLittle: boolean = true;
	readonly isNumber: boolean = false;

	constructor(type: K) {
		super();
		this.type = type;
		this.size = codecs[type].size;
		this.alignment = this.size;
	}

	/** The integers that fit; undefined for a double. */
	get range(): readonly [least: number | bigint, most: number | bigint] | undefined {
		return codecs[this.type].range;
	}

	/** The same, most significant byte first. */
	get be(): this {
		return this.changed({isLittle: false});
	}

	/** 64 unsigned bits as a number, exact below 2^53: for addresses and lengths, which are checked where they are used. */
	get asNumber(): Scalar<K, number> {
		if (this.type !== 'u64') throw wireError('WIRE_DECLARATION_INVALID', {wire: this.type, cause: 'it is no u64'});
		return this.changed({isNumber: true}) as unknown as Scalar<K, number>;
	}

	/** 64 unsigned bits whose accessor has the halves, `low` and `high`, as numbers. */
	get halves(): Halves {
		if (this.type !== 'u64') throw wireError('WIRE_DECLARATION_INVALID', {wire: this.type, cause: 'it is no u64'});
		return new Halves(this as unknown as Scalar<'u64'>);
	}

	reader(offset: number): Reader<V> {
		if (this.isNumber) return wideNumber(offset, this.isLittle) as Reader<V>;
		return codecs[this.type].read(offset, this.isLittle) as Reader<V>;
	}

	writer(offset: number, path: string): Writer<number | bigint> {
		const {type} = this;
		const write = codecs[type].write(offset, this.isLittle) as Writer<number | bigint>;
		return (target, base, value) => write(target, base, fitting(type, value, path));
	}

	viewProperty(offset: number, isAligned: boolean): ViewProperty {
		if (!this.isLittle || (this.size > 1 && !(isAligned && offset % this.size === 0)))
			return {needs: '$data', accessor: dataAccessor(this, offset)};
		if (this.isNumber) return {needs: '$u32', accessor: wideAccessor(offset / 4)};
		return {needs: codecs[this.type].array, accessor: accessor(this.type, offset / this.size)};
	}
}

/** An unsigned 64-bit number whose accessor is an object of two 32-bit numbers: no bigint comes to be. */
export class Halves extends Field<{
	plain: bigint;
	input: number | bigint;
	view: {low: number; high: number};
	assignable: false;
	guest: {readonly low: Guest<number>; readonly high: Guest<number>};
}> {
	readonly kind = 'halves';
	readonly whole: Scalar<'u64'>;
	readonly size = 8;
	readonly alignment = 8;

	constructor(whole: Scalar<'u64'>) {
		super();
		this.whole = whole;
	}

	reader(offset: number): Reader<bigint> {
		return this.whole.reader(offset);
	}

	writer(offset: number, path: string): Writer<number | bigint> {
		return this.whole.writer(offset, path);
	}

	viewProperty(offset: number, isAligned: boolean): ViewProperty {
		checkAligned(this.whole, offset, isAligned);
		return {make: (buffer, byteOffset) => new HalvesView(new Uint32Array(buffer, byteOffset + offset, 2))};
	}
}

class HalvesView {
	readonly $u32: Uint32Array;

	constructor(words: Uint32Array) {
		this.$u32 = words;
	}

	get low(): number {
		return this.$u32[0] as number;
	}
	set low(value: number) {
		this.$u32[0] = value;
	}
	get high(): number {
		return this.$u32[1] as number;
	}
	set high(value: number) {
		this.$u32[1] = value;
	}
}

/** A fixed array of numbers: a typed array in views, a `Uint8Array` or a list as plain data. */
export class ScalarArray<K extends ScalarType = ScalarType> extends Field<{
	plain: K extends 'u8' ? Uint8Array : readonly Natural<K>[];
	input: ArrayLike<number | bigint>;
	view: Typed[K];
	assignable: false;
	guest: K extends 'u8' ? Uint8Array : {readonly length: number; readonly [index: number]: Guest<Natural<K>>};
}> {
	readonly kind = 'array';
	readonly item: Scalar<K>;
	readonly length: number;
	readonly size: number;
	readonly alignment: number;

	constructor(item: Scalar<K>, length: number) {
		super();
		this.item = item;
		this.length = checkedCount(length, 'array');
		this.size = length * item.size;
		this.alignment = item.alignment;
	}

	reader(offset: number): Reader<this['forms']['plain']> {
		const {item, length, size} = this;
		const read: Reader =
			item.type === 'u8'
				? (v, base) => new Uint8Array(v.buffer, v.byteOffset + base + offset, size).slice()
				: (v, base) => itemReaders.map((readItem) => readItem(v, base));
		const itemReaders = item.type === 'u8' ? [] : positions(length, item.size, offset).map((at) => item.reader(at));
		return read as Reader<this['forms']['plain']>;
	}

	writer(offset: number, path: string): Writer<ArrayLike<number | bigint>> {
		const {item, length} = this;
		const write = item.writer(0, path);
		return (target, base, values) => {
			if (values.length > length) throw tooLong(path, values.length, length);
			for (let i = 0; i < length; i++) write(target, base + offset + i * item.size, values[i] ?? 0);
		};
	}

	viewProperty(offset: number, isAligned: boolean): ObjectProperty {
		const {item, length} = this;
		checkAligned(item, offset, isAligned);
		const {of} = codecs[item.type];
		return {make: (buffer, byteOffset) => new of(buffer, byteOffset + offset, length)};
	}
}

/** Gives the offsets of an array's items. */
export const positions = (length: number, size: number, offset: number): number[] =>
	Array.from({length}, (_, index) => offset + index * size);

/** The error for more values than a field has room for. */
export const tooLong = (field: string, found: number, room: number) =>
	wireError('WIRE_VALUE_INVALID', {field, cause: `${found} do not fit where there are ${room}`});

/** Throws where typed arrays do not reach the numbers at `offset`. */
export function checkAligned({type, size, isLittle}: Scalar, offset: number, isAligned: boolean): void {
	if (size === 1 || (isLittle && isAligned && offset % size === 0)) return;
	const cause = `a view has no ${type} of that byte order or alignment, at ${offset}`;
	throw wireError('WIRE_DECLARATION_INVALID', {wire: 'a view', cause});
}

export const u8: Scalar<'u8'> = new Scalar('u8');
export const u16: Scalar<'u16'> = new Scalar('u16');
export const u32: Scalar<'u32'> = new Scalar('u32');
/** Signed; the type for words used with `Atomics` through a view's `$atomic`. */
export const i32: Scalar<'i32'> = new Scalar('i32');
/** A bigint; see {@link Scalar.asNumber} and {@link Scalar.halves} for accessors that make none. */
export const u64: Scalar<'u64'> = new Scalar('u64');
export const i64: Scalar<'i64'> = new Scalar('i64');
/** A double: times in nanoseconds and counters that may pass 2^32. */
export const f64: Scalar<'f64'> = new Scalar('f64');

/** `length` bytes. */
export const bytes = (length: number): ScalarArray<'u8'> => new ScalarArray(u8, length);
