import {ascii, concatBytes, littleEndian} from '#support/wire';
import {type Aml, integer, namePath, withPackageLength} from './encoding.ts';

/** Opcodes (ACPI 6.5, table 20.2). */
const opcodes = {
	name: 0x08,
	string: 0x0d,
	scope: 0x10,
	buffer: 0x11,
	package: 0x12,
	method: 0x14,
	extended: 0x5b,
	argument0: 0x68,
	/** `Zero`, which as a target means none. */
	nothing: 0x00,
	store: 0x70,
	notify: 0x86,
	or: 0x7d,
	index: 0x88,
	createDwordField: 0x8a,
	equal: 0x93,
	if: 0xa0,
	else: 0xa1,
	return: 0xa4,
} as const;
const extendedDevice = 0x82;

const op = (code: keyof typeof opcodes, ...parts: readonly Aml[]) =>
	concatBytes(Uint8Array.of(opcodes[code]), ...parts);
const block = (code: keyof typeof opcodes, ...parts: readonly Aml[]) =>
	op(code, withPackageLength(concatBytes(...parts)));

/** `Name (path, value)`. */
export function name(path: string, value: Aml): Aml {
	return op('name', namePath(path), value);
}

/** `"text"`, ASCII. */
export function string(text: string): Aml {
	return op('string', ascii(text), Uint8Array.of(0));
}

/** `Buffer () {bytes}`. */
export function buffer(bytes: Uint8Array): Aml {
	return block('buffer', integer(bytes.length), bytes);
}

/** `Package () {elements}`, at most 255. */
export function packageOf(...elements: readonly Aml[]): Aml {
	return block('package', littleEndian(elements.length, 1), ...elements);
}

/** `EISAID ("PNP0501")`: three letters and four hexadecimal digits in 32 bits, big-endian (ACPI 6.5, 19.3.4). */
export function eisaId(id: string): Aml {
	if (!/^[A-Z]{3}[0-9A-F]{4}$/.test(id)) throw new RangeError(`${JSON.stringify(id)} is not an EISA id`);
	const [a = 0, b = 0, c = 0] = ascii(id).map((code) => code - 0x40);
	const letters = (a << 10) | (b << 5) | c;
	const product = Number.parseInt(id.slice(3), 16);
	return concatBytes(Uint8Array.of(0x0c), Uint8Array.of(letters >>> 8, letters & 0xff, product >>> 8, product & 0xff));
}

/** `Scope (path) {terms}`. */
export function scope(path: string, ...terms: readonly Aml[]): Aml {
	return block('scope', namePath(path), ...terms);
}

/** `Device (path) {terms}`. */
export function device(path: string, ...terms: readonly Aml[]): Aml {
	const body = withPackageLength(concatBytes(namePath(path), ...terms));
	return concatBytes(Uint8Array.of(opcodes.extended, extendedDevice), body);
}

/** `Method (path, argumentCount) {terms}`, not serialized. */
export function method(path: string, argumentCount: number, ...terms: readonly Aml[]): Aml {
	return block('method', namePath(path), Uint8Array.of(argumentCount & 7), ...terms);
}

/** `Return (value)`. */
export function returns(value: Aml): Aml {
	return op('return', value);
}

/** `Arg0` to `Arg6`. */
export function argument(index: number): Aml {
	return Uint8Array.of(opcodes.argument0 + index);
}

/** `If (predicate) {terms}`. */
export function when(predicate: Aml, ...terms: readonly Aml[]): Aml {
	return block('if', predicate, ...terms);
}

/** `Else {terms}`, right after {@link when}. */
export function otherwise(...terms: readonly Aml[]): Aml {
	return block('else', ...terms);
}

/** `LEqual (left, right)`. */
export function equal(left: Aml, right: Aml): Aml {
	return op('equal', left, right);
}

/** `Store (value, target)`. */
export function store(value: Aml, target: string | Aml): Aml {
	return op('store', value, typeof target === 'string' ? namePath(target) : target);
}

/** `Index (package, element)`: the element, for {@link store}. */
export function elementOf(packageName: string, element: number): Aml {
	return op('index', namePath(packageName), integer(element), op('nothing'));
}

/** `Or (target, value, target)`. */
export function orInto(target: string, value: Aml): Aml {
	return op('or', namePath(target), value, namePath(target));
}

/** `Notify (object, value)`. */
export function notify(object: string, value: number): Aml {
	return op('notify', namePath(object), integer(value));
}

/** `CreateDWordField (source, byteOffset, field)`. */
export function createDwordField(source: Aml, byteOffset: number, field: string): Aml {
	return op('createDwordField', source, integer(byteOffset), namePath(field));
}

/** `ToUUID ("…")`: the first three groups are little-endian (ACPI 6.5, 19.6.142). */
export function uuid(text: string): Aml {
	const match = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(text);
	if (match === null) throw new RangeError(`${JSON.stringify(text)} is not a UUID`);
	const [, first = '', second = '', third = '', fourth = '', fifth = ''] = match;
	const swapped = [first, second, third].map((group) => Buffer.from(group, 'hex').reverse());
	return buffer(concatBytes(...swapped, Buffer.from(fourth + fifth, 'hex')));
}
