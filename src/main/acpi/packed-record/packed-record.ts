/** One field of a record: its name, its offset as the specification prints it, and its size in bytes. */
export type PackedField = readonly [name: string, offset: number, size: number];

/** A little-endian record without padding, as firmware tables are made of. */
export interface PackedRecord<N extends string> {
	readonly length: number;
	/** The record's bytes. Fields without a value are zero; text and bytes shorter than their field are padded with zeros. */
	encode(values: Readonly<Partial<Record<N, FieldValue>>>): Uint8Array;
}

/** Numbers are unsigned and fit their field; text is ASCII. */
export type FieldValue = number | bigint | string | Uint8Array;

/**
 * Declares a record from its fields as the specification lists them. Offsets are given, not computed, so that a table
 * reads like its source; a gap or an overlap is refused when the module is loaded.
 */
export function packedRecord<const F extends readonly PackedField[]>(fields: F): PackedRecord<F[number][0]> {
	let length = 0;
	for (const [name, offset, size] of fields) {
		if (offset !== length)
			throw new RangeError(`field ${name} is at ${offset}, but the one before it ends at ${length}`);
		length += size;
	}
	return {
		length,
		encode(values) {
			const bytes = new Uint8Array(length);
			for (const [name, offset, size] of fields) {
				const value = values[name as F[number][0]];
				if (value !== undefined) bytes.set(fieldBytes(name, value, size), offset);
			}
			return bytes;
		},
	};
}

/** `size` little-endian bytes of an unsigned number. */
export function littleEndian(value: number | bigint, size: number): Uint8Array {
	let rest = BigInt(value);
	if (rest < 0n || rest >> BigInt(8 * size) !== 0n) throw new RangeError(`${value} does not fit in ${size} bytes`);
	const bytes = new Uint8Array(size);
	for (let i = 0; i < size; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
	return bytes;
}

/** ASCII bytes of `text`. */
export function ascii(text: string): Uint8Array {
	return Uint8Array.from(text, (character) => {
		const code = character.charCodeAt(0);
		if (code > 0x7f) throw new RangeError(`${JSON.stringify(text)} is not ASCII`);
		return code;
	});
}

/** One array of all the parts. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
	const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let offset = 0;
	for (const part of parts) {
		bytes.set(part, offset);
		offset += part.length;
	}
	return bytes;
}

/** The byte that makes the sum of `bytes` and itself zero modulo 256, as ACPI and SMBIOS use it. */
export function checksum(bytes: Uint8Array): number {
	return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

function fieldBytes(name: string, value: FieldValue, size: number): Uint8Array {
	if (typeof value === 'number' || typeof value === 'bigint') return littleEndian(value, size);
	const bytes = typeof value === 'string' ? ascii(value) : value;
	if (bytes.length > size) throw new RangeError(`field ${name} holds ${size} bytes, not ${bytes.length}`);
	return bytes;
}
