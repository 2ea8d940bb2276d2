/** Bytes of which neither the number nor the order is fixed, put together by hand. */
import {wireError} from './errors.ts';

/** `size` little-endian bytes of an unsigned number. */
export function littleEndian(value: number | bigint, size: number): Uint8Array {
	let rest = BigInt(value);
	if (rest < 0n || rest >> BigInt(8 * size) !== 0n)
		throw wireError('WIRE_VALUE_INVALID', {field: `${value}`, cause: `it does not fit in ${size} bytes`});
	const bytes = new Uint8Array(size);
	for (let i = 0; i < size; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
	return bytes;
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
