import {wireError} from './errors.ts';
import {checkedCount, Field, type Reader, type ViewProperty, type Writer} from './field.ts';
import {tooLong} from './scalar.ts';

/** ASCII text in a field of fixed size. */
export class Text extends Field<{plain: string; input: string; view: string; assignable: true; guest: string}> {
	readonly kind = 'text';
	readonly size: number;
	readonly alignment = 1;

	constructor(size: number) {
		super();
		this.size = checkedCount(size, 'text');
	}

	reader(offset: number): Reader<string> {
		const {size} = this;
		return (source, base) => {
			const bytes = new Uint8Array(source.buffer, source.byteOffset + base + offset, size);
			const end = bytes.indexOf(0);
			return String.fromCharCode(...bytes.subarray(0, end < 0 ? size : end));
		};
	}

	writer(offset: number, path: string): Writer<string> {
		const {size} = this;
		return (target, base, value) => {
			const bytes = ascii(value);
			if (bytes.length > size) throw tooLong(path, bytes.length, size);
			const field = new Uint8Array(target.buffer, target.byteOffset + base + offset, size);
			field.fill(0);
			field.set(bytes);
		};
	}

	viewProperty(offset: number): ViewProperty {
		const [read, write] = [this.reader(offset), this.writer(offset, 'text')];
		return {
			needs: '$data',
			accessor: {
				get() {
					return read(this.$data, 0);
				},
				set(value: string) {
					write(this.$data, 0, value);
				},
			},
		};
	}
}

/** Text in `size` bytes, which ends at the first zero byte and is followed by zeros. */
export const text = (size: number): Text => new Text(size);

/** ASCII bytes of `value`. */
export function ascii(value: string): Uint8Array<ArrayBuffer> {
	return Uint8Array.from(value, (character) => {
		const code = character.codePointAt(0) as number;
		if (code <= 0x7f) return code;
		throw wireError('WIRE_VALUE_INVALID', {field: JSON.stringify(value), cause: 'it is not ASCII'});
	});
}
