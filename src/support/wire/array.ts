import {wireError} from './errors.ts';
import {
	type AnyField,
	checkedCount,
	Field,
	type Reader,
	type Siblings,
	type ViewProperty,
	type Writer,
} from './field.ts';
import {positions, type Scalar, ScalarArray, tooLong} from './scalar.ts';
import type {ScalarType} from './scalar-types.ts';

/** A fixed array of structs, or of registers of bits. */
export class FieldArray<F extends AnyField = AnyField> extends Field<{
	plain: readonly F['forms']['plain'][];
	input: readonly F['forms']['input'][];
	view: readonly F['forms']['view'][];
	assignable: false;
	guest: readonly F['forms']['guest'][];
}> {
	readonly kind = 'list';
	readonly item: F;
	readonly length: number;
	readonly size: number;
	readonly alignment: number;

	constructor(item: F, length: number) {
		super();
		this.item = item;
		this.length = checkedCount(length, 'array');
		this.size = length * item.size;
		this.alignment = item.alignment;
	}

	reader(offset: number): Reader<readonly F['forms']['plain'][]> {
		const readers = positions(this.length, this.item.size, offset).map((at) => this.item.reader(at, new Map()));
		return (source, base) => readers.map((read) => read(source, base));
	}

	writer(offset: number, path: string): Writer<readonly F['forms']['input'][]> {
		const {length} = this;
		const writers = positions(this.length, this.item.size, offset).map((at, index) =>
			this.item.writer(at, `${path}.${index}`, new Map()),
		);
		return (target, base, values) => {
			if (values.length > length) throw tooLong(path, values.length, length);
			for (const [index, value] of values.entries()) writers[index]?.(target, base, value);
		};
	}

	viewProperty(offset: number, isAligned: boolean): ViewProperty {
		const properties = positions(this.length, this.item.size, offset).map((at) =>
			this.item.viewProperty(at, isAligned),
		);
		const makes = properties.flatMap((property) => ('make' in property ? [property.make] : []));
		if (makes.length < this.length)
			throw wireError('WIRE_DECLARATION_INVALID', {wire: 'a view', cause: 'it has no list of such values'});
		return {make: (buffer, byteOffset) => makes.map((make) => make(buffer, byteOffset))};
	}

	override writeInitial(target: DataView, offset: number, path: string, siblings: Siblings): void {
		for (const at of positions(this.length, this.item.size, offset))
			this.item.writeInitial(target, at, path, new Map());
		super.writeInitial(target, offset, path, siblings);
	}
}

/** A fixed array: of numbers, a typed array in views; of structs, a list of views. */
export function array<K extends ScalarType>(item: Scalar<K>, length: number): ScalarArray<K>;
export function array<F extends AnyField>(item: F, length: number): FieldArray<F>;
export function array(item: AnyField, length: number): AnyField {
	return isPlainNumber(item) ? new ScalarArray(item, length) : new FieldArray(item, length);
}

/** By kind, not by class: see `isKind`. */
const isPlainNumber = (item: AnyField): item is Scalar => item.kind === 'scalar' && !(item as Scalar).isNumber;
