/** Adds bytes to a sum of 16-bit words, most significant byte first (RFC 1071). The result is to be folded. An odd last byte has a zero behind it. */
export function addWords(view: DataView, start: number, end: number, sum: number): number {
	let total = sum;
	let at = start;
	for (; at + 4 <= end; at += 4) total += view.getUint32(at);
	if (at + 2 <= end) {
		total += view.getUint16(at);
		at += 2;
	}
	return at < end ? total + view.getUint8(at) * 256 : total;
}

/** The checksum of what makes up a sum: its complement in 16 bits. */
export function checksumOf(sum: number): number {
	let folded = sum;
	while (folded > 0xffff) folded = (folded % 0x1_0000) + Math.floor(folded / 0x1_0000);
	return ~folded & 0xffff;
}
