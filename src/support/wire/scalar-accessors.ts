import type {ViewArrays, Writer} from './field.ts';
import {codecs, type ScalarType, wideNumber} from './scalar-types.ts';

/** The property of a number in a view. */
type Accessor = PropertyDescriptor & ThisType<ViewArrays>;

/** An accessor by way of the view's `DataView`: for numbers of another byte order, or that are not aligned. */
export function dataAccessor(
	{type, isLittle, isNumber}: {readonly type: ScalarType; readonly isLittle: boolean; readonly isNumber: boolean},
	offset: number,
): Accessor {
	const read = isNumber ? wideNumber(offset, isLittle) : codecs[type].read(offset, isLittle);
	const write = codecs[type].write(offset, isLittle) as Writer;
	return {
		get() {
			return read(this.$data, 0);
		},
		set(value: number | bigint) {
			write(this.$data, 0, isNumber ? BigInt(value) : value);
		},
	};
}

/** Both halves as one number; a value past 2^53 is rounded when it is read. */
export const wideAccessor = (index: number): Accessor => ({
	get() {
		return (this.$u32[index + 1] as number) * 2 ** 32 + (this.$u32[index] as number);
	},
	set(value: number) {
		this.$u32[index] = value;
		this.$u32[index + 1] = Math.floor(value / 2 ** 32);
	},
});

/** One accessor pair, monomorphic on its array so that V8 inlines it on the exit path. */
export function accessor(type: ScalarType, index: number): Accessor {
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
		case 'u64':
			return {
				get() {
					return this.$u64[index];
				},
				set(value: bigint) {
					this.$u64[index] = value;
				},
			};
		case 'i64':
			return {
				get() {
					return this.$i64[index];
				},
				set(value: bigint) {
					this.$i64[index] = value;
				},
			};
	}
}
