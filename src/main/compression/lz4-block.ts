/** Lengths below this are in the token; at it, more bytes follow. */
const inToken = 15;
const shortestMatch = 4;
const longestDistance = 65535;

/**
 * Decompresses one lz4 block (LZ4 Block Format) into `target` from `start` on, not beyond `end`. A match may reach back to
 * `from`.
 * @returns where the block's bytes end, or undefined when it is damaged or does not fit
 */
export function decodeLz4Block(
	source: Uint8Array,
	target: Uint8Array,
	{start, end, from}: {readonly start: number; readonly end: number; readonly from: number},
): number | undefined {
	let at = 0;
	let out = start;
	/** Adds the bytes that a token of 15 goes on with, up to and with the first that is not 255. */
	const more = () => {
		let sum = 0;
		for (;;) {
			const byte = source[at++];
			if (byte === undefined) return Number.POSITIVE_INFINITY;
			sum += byte;
			if (byte !== 255) return sum;
		}
	};
	while (at < source.length) {
		const token = source[at++] as number;
		let literals = token >>> 4;
		if (literals === inToken) literals += more();
		if (at + literals > source.length || out + literals > end) return undefined;
		target.set(source.subarray(at, at + literals), out);
		at += literals;
		out += literals;
		// The last sequence has literals only.
		if (at === source.length) return out;

		const distance = (source[at] as number) + (source[at + 1] ?? 0) * 256;
		at += 2;
		let match = (token & inToken) + shortestMatch;
		if ((token & inToken) === inToken) match += more();
		if (distance === 0 || distance > longestDistance || out - distance < from || out + match > end) return undefined;
		// A match may overlap what it makes, so byte for byte.
		for (const matchEnd = out + match; out < matchEnd; out++) target[out] = target[out - distance] as number;
	}
	return undefined;
}
