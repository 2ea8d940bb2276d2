/** Structs of foreign formats as data: one table of offsets and sizes gives the reader and the writer. */

/** Where a little-endian unsigned field lies in its struct, in bytes. */
export type Field = readonly [offset: number, size: 1 | 2 | 4 | 8];
/** A struct: field names as in its specification. */
export type Layout = Readonly<Record<string, Field>>;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** True when the file has `length` bytes at `offset`. */
export function has(bytes: Uint8Array, offset: number, length: number): boolean {
	return offset >= 0 && length >= 0 && offset + length <= bytes.length;
}

/** One field, exact; the caller has checked that it lies inside `bytes`. */
export function readBig(bytes: Uint8Array, base: number, [offset, size]: Field): bigint {
	return size === 8 ? view(bytes).getBigUint64(base + offset, true) : BigInt(readNumber(bytes, base, [offset, size]));
}

/** One field as a number: exact below 2^53, and never below 2^53 for a field that is not. */
export function readNumber(bytes: Uint8Array, base: number, [offset, size]: Field): number {
	const at = base + offset;
	switch (size) {
		case 1:
			return view(bytes).getUint8(at);
		case 2:
			return view(bytes).getUint16(at, true);
		case 4:
			return view(bytes).getUint32(at, true);
		case 8:
			return Number(view(bytes).getBigUint64(at, true));
	}
}

/** Sets the named fields of the struct at `base`; a value that does not fit its field is a fault of the caller. */
export function writeFields<L extends Layout>(
	layout: L,
	bytes: Uint8Array,
	base: number,
	values: Partial<Record<keyof L, number>>,
): void {
	for (const [name, value] of Object.entries(values) as [string, number][]) {
		const [offset, size] = layout[name] as Field;
		let rest = BigInt(value);
		for (let i = 0; i < size; i++) {
			bytes[base + offset + i] = Number(rest & 0xffn);
			rest >>= 8n;
		}
		if (rest !== 0n) throw new RangeError(`${name} has ${size} bytes, too few for ${value}`);
	}
}
