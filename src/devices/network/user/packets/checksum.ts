/** The sum of 16-bit words of RFC 1071, not yet folded into 16 bits. */
export function sumWords(bytes: Uint8Array, from: number, to: number, initial = 0): number {
	let sum = initial;
	let at = from;
	for (; at + 1 < to; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
	if (at < to) sum += (bytes[at] as number) << 8;
	return sum;
}

/** Folds a sum into 16 bits. */
export function fold(sum: number): number {
	let folded = sum;
	while (folded > 0xffff) folded = Math.floor(folded / 0x1_0000) + (folded & 0xffff);
	return folded;
}

/** The checksum of a range: the complement of its sum. */
export const checksumOf = (bytes: Uint8Array, from: number, to: number, initial = 0): number =>
	~fold(sumWords(bytes, from, to, initial)) & 0xffff;

/** The sum of a pseudo header (RFC 9293, 3.1; RFC 8200, 8.1). Addresses are one behind the other from `at`, `addressBytes` in all. */
export const pseudoSum = (
	bytes: Uint8Array,
	at: number,
	addressBytes: number,
	protocol: number,
	length: number,
): number => sumWords(bytes, at, at + addressBytes) + protocol + length;
