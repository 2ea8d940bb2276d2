export {array, FieldArray} from './array.ts';
export {Bits, type BitsView, bits, choice, flag, type Part, type Parts, type PlainBits, range} from './bits.ts';
export {type AnyField, Field, type Forms, Reserved, reserved, viewOf} from './field.ts';
export {type FieldKinds, isKind} from './field-kinds.ts';
export {type CopiesOut, GuestReader} from './guest.ts';
export {checksum, concatBytes, littleEndian} from './pieces.ts';
export {bytes, f64, Halves, i32, i64, Scalar, ScalarArray, type ScalarType, u8, u16, u32, u64} from './scalar.ts';
export {ascii, Text, text} from './text.ts';
export {Union, type UnknownArm, union} from './union.ts';
export {
	type FieldHandle,
	type Fields,
	type FieldsView,
	type GuestFields,
	type GuestOf,
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
