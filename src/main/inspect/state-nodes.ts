import {type Children, dataChildren, type InspectNode, type LeafNode, leaf, nodeName, object} from '#support/inspect';
import {
	type AnyField,
	bytes,
	type FieldArray,
	isKind,
	type Scalar,
	type ScalarArray,
	type Union,
	type Wire,
} from '#support/wire';

/** A struct in shared memory, field by field. What is marked as sensitive, a field or all of a struct or list, has that mark. */
export const stateNodes = ({places}: Wire, source: DataView, base: number): Children =>
	Object.fromEntries(
		[...places]
			.filter(([, {field}]) => !isKind(field, 'reserved'))
			.map(([name, {field, offset}]) => [
				nodeName(name),
				fieldNode(field, source, base + offset, () => field.reader(offset, places)(source, base)),
			]),
	);

/** Longer arrays are data that passes through a device, not what it is doing: their size is shown. */
const longestShown = 64;

function fieldNode(field: AnyField, source: DataView, at: number, read: () => unknown): InspectNode | undefined {
	const mark: {readonly sensitive?: true} = field.isSensitive ? {sensitive: true} : {};
	if (isKind(field, 'struct')) return object(() => stateNodes(field, source, at), mark);
	if (isKind(field, 'list')) return object(() => itemNodes(field, source, at), mark);
	if (isKind(field, 'union')) return object(() => unionNodes(field, source, at, read), mark);
	if (isKind(field, 'bits')) return object(() => dataChildren(read() as object), mark);
	if (isKind(field, 'array')) return bytesNode(field, read, mark);
	if (isKind(field, 'halves') || (isKind(field, 'scalar') && isRegister(field)))
		return leaf(() => read() as number | bigint, {format: 'hex', ...mark});
	return leaf(() => read() as number | bigint | string, mark);
}

function itemNodes({item, length, size}: FieldArray, source: DataView, at: number): Children {
	const items = Array.from({length}, (_, index) => {
		const place = at + index * (size / length);
		return [index, fieldNode(item, source, place, () => item.reader(place, new Map())(source, 0))] as const;
	});
	return Object.fromEntries(items);
}

/** The arm that the tag names, by its name; the bytes where it names none. */
function unionNodes({arms, size}: Union, source: DataView, at: number, read: () => unknown): Children {
	const {kind, value} = read() as {readonly kind: string | undefined; readonly value: Uint8Array};
	const [, layout] = (kind !== undefined && arms[kind]) || [];
	if (kind !== undefined && layout !== undefined) return {[kind]: object(() => stateNodes(layout, source, at))};
	return {unknown: bytesNode(bytes(size), () => value, {})};
}

function bytesNode(
	{length, size, item}: ScalarArray,
	read: () => unknown,
	mark: {readonly sensitive?: true},
): LeafNode {
	if (length > longestShown) return leaf(() => size, {unit: 'bytes', ...mark});
	const digits = hexDigits(item.size);
	return leaf(() => Array.from(read() as Iterable<number | bigint>, digits).join(' '), mark);
}

/** Unsigned fields are registers; signed ones and doubles count. */
const isRegister = ({range}: Scalar): boolean => range !== undefined && range[0] >= 0;

/** Negative numbers as their bits. */
const hexDigits = (bytes: number) => (value: number | bigint) =>
	BigInt.asUintN(8 * bytes, BigInt(value))
		.toString(16)
		.padStart(2 * bytes, '0');
