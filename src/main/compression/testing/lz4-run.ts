/** An lz4 block of `length` zeros, at least 20 of them: one literal, a match at distance 1, five closing literals. */
export function lz4Run(length: number): Uint8Array {
	const more = length - 6 - 4 - 15;
	return Uint8Array.of(
		0x1f,
		0,
		1,
		0,
		...new Uint8Array(Math.floor(more / 255)).fill(255),
		more % 255,
		0x50,
		...new Uint8Array(5),
	);
}

/** A legacy lz4 archive of these blocks. */
export function legacyFrame(...blocks: readonly Uint8Array[]): Uint8Array {
	const size = (block: Uint8Array) => new Uint8Array(Uint32Array.of(block.length).buffer);
	return Buffer.concat([Uint8Array.of(2, 0x21, 0x4c, 0x18), ...blocks.flatMap((block) => [size(block), block])]);
}
