/** CRC-32C (Castagnoli): that of node:zlib has another polynomial. */

const polynomial = 0x82f6_3b78;
let tables: readonly Uint32Array[] | undefined;

/** Tables for four bytes at a time. */
function makeTables(): readonly Uint32Array[] {
	const first = Uint32Array.from({length: 256}, (_, byte) => {
		let value = byte;
		for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
		return value;
	});
	const all = [first];
	for (let i = 1; i < 4; i++) {
		const before = all[i - 1] as Uint32Array;
		all.push(Uint32Array.from(before, (value) => (value >>> 8) ^ (first[value & 0xff] ?? 0)));
	}
	return all;
}

/** The checksum of all bytes, or of bytes behind others whose checksum is `before`. */
export function crc32c(bytes: Uint8Array, before = 0): number {
	tables ??= makeTables();
	const [t0, t1, t2, t3] = tables as readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
	let crc = ~before;
	let at = 0;
	for (; at + 4 <= bytes.length; at += 4) {
		crc ^=
			(bytes[at] as number) |
			((bytes[at + 1] as number) << 8) |
			((bytes[at + 2] as number) << 16) |
			((bytes[at + 3] as number) << 24);
		crc =
			(t3[crc & 0xff] as number) ^
			(t2[(crc >>> 8) & 0xff] as number) ^
			(t1[(crc >>> 16) & 0xff] as number) ^
			(t0[crc >>> 24] as number);
	}
	for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] as number)) & 0xff] as number);
	return ~crc >>> 0;
}
