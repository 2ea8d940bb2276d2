export {array, FieldArray} from './array.ts';
export {Bits, bits, choice, flag, type Part, type Parts, range} from './bits.ts';
export {type Cell, cell, type Pair, pair} from './cell.ts';
export {type AnyField, Field, Reserved, reserved, viewOf} from './field.ts';
export {isKind} from './field-kinds.ts';
export {GuestReader} from './guest.ts';
export {checksum, concatBytes, littleEndian} from './pieces.ts';
export {bytes, f64, Halves, i32, i64, Scalar, ScalarArray, u8, u16, u32, u64} from './scalar.ts';
export {ascii, text} from './text.ts';
export {Union, union} from './union.ts';
export {
	type Fields,
	type FieldsView,
	type InputFields,
	type InputOf,
	type PlainFields,
	type PlainOf,
	packed,
	sparse,
	type ViewOf,
	Wire,
	wire,
} from './wire.ts';
