/** Hexadecimal as the protocol writes it. What a client sends is checked: undefined for anything else. */

/** A number of at most 64 bits. */
export function parseAddress(text: string): bigint | undefined {
	return /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** A number that counts something, up to `max`; more than that is `max`. */
export function parseCount(text: string, max: number): number | undefined {
	const value = parseAddress(text);
	return value === undefined ? undefined : value > BigInt(max) ? max : Number(value);
}

/** Bytes, two digits each. */
export function parseBytes(text: string): Uint8Array | undefined {
	return text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}

/** Bytes as digits. */
export const hexBytes = (bytes: Uint8Array): string =>
	Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Text as digits, byte by byte. */
export const hexText = (text: string): string => Buffer.from(text).toString('hex');
