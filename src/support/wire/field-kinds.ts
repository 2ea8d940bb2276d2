import type {FieldArray} from './array.ts';
import type {Bits} from './bits.ts';
import type {AnyField, Reserved} from './field.ts';
import type {Halves, Scalar, ScalarArray} from './scalar.ts';
import type {Text} from './text.ts';
import type {Union} from './union.ts';
import type {Wire} from './wire.ts';

/** The fields that there are, by their `kind`. */
export interface FieldKinds {
	readonly scalar: Scalar;
	readonly halves: Halves;
	readonly array: ScalarArray;
	readonly text: Text;
	readonly reserved: Reserved;
	readonly bits: Bits;
	readonly struct: Wire;
	readonly list: FieldArray;
	readonly union: Union;
}

/**
 * True for a field of that kind, for programs that walk over declarations. Not by class: the declarations of a user's device
 * module are of the package's `devices` entry, which has classes of its own.
 */
export const isKind = <K extends keyof FieldKinds>(field: AnyField, kind: K): field is FieldKinds[K] =>
	field.kind === kind;
