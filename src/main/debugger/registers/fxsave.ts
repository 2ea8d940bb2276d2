/** Fields of an FXSAVE area (Intel SDM vol. 1, table 10-2) as a debugger numbers them. */

const littleEndian = (bytes: Uint8Array): bigint =>
	bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

/** `size` bytes at `offset`, as an unsigned number. */
export const field = (area: Uint8Array, offset: number, size: number): bigint =>
	littleEndian(area.subarray(offset, offset + size));

/** A copy of the area with `size` bytes at `offset` changed. */
export function withField(area: Uint8Array, offset: number, size: number, value: bigint): Uint8Array {
	const copy = area.slice();
	for (let index = 0; index < size; index++) copy[offset + index] = Number((value >> BigInt(index * 8)) & 0xffn);
	return copy;
}

const tag = {valid: 0, zero: 1, special: 2, empty: 3} as const;
const registers = 8;
const stackTop = (area: Uint8Array): number => ((area[3] ?? 0) >> 3) & 7;

/** The full x87 tag word, which FXSAVE abridges to one bit for each register (Intel SDM vol. 1, 8.1.7). */
export function tagWord(area: Uint8Array): bigint {
	const present = area[4] ?? 0;
	let word = 0;
	for (let physical = 0; physical < registers; physical++) {
		const inStack = (physical - stackTop(area)) & 7;
		const kind = (present & (1 << physical)) === 0 ? tag.empty : tagOf(area, inStack);
		word |= kind << (physical * 2);
	}
	return BigInt(word);
}

/** A copy of the area with the tags of this full tag word. */
export function withTagWord(area: Uint8Array, word: bigint): Uint8Array {
	let present = 0;
	for (let physical = 0; physical < registers; physical++) {
		if (((Number(word & 0xffffn) >> (physical * 2)) & 3) !== tag.empty) present |= 1 << physical;
	}
	return withField(area, 4, 1, BigInt(present));
}

function tagOf(area: Uint8Array, inStack: number): number {
	const value = field(area, 32 + inStack * 16, 10);
	const [exponent, mantissa] = [(value >> 64n) & 0x7fffn, value & (2n ** 64n - 1n)];
	if (exponent === 0n) return mantissa === 0n ? tag.zero : tag.special;
	return exponent === 0x7fffn || mantissa >> 63n === 0n ? tag.special : tag.valid;
}
