import type {SeededRandom} from './model.ts';

/** A part of a file whose bytes mean something: where it begins, and its length. */
export type Spot = readonly [offset: number, length: number];

/** Values at which parsers break: signs, carries, sizes of blocks and files. */
const interesting: readonly bigint[] = [
	0n,
	1n,
	2n,
	9n,
	0x1ffn,
	0x200n,
	0x1000n,
	0x1_0000n,
	0x10_0000n,
	0x7fff_ffffn,
	0xffff_ffffn,
	1n << 40n,
	(1n << 53n) - 512n,
	1n << 53n,
	1n << 62n,
	(1n << 63n) + 512n,
	(1n << 64n) - 1n,
];

/** A copy with one to four changes in its spots. */
export function mutate(seed: Uint8Array, spots: readonly Spot[], random: SeededRandom): Buffer {
	const bytes = Buffer.from(seed);
	const place = (size: number) => {
		const [offset, length] = spots[random.below(spots.length)] as Spot;
		// Fields are aligned, mostly.
		const at = offset + random.below(Math.max(1, length - size));
		return Math.min(bytes.length - size, random.below(5) === 0 ? at : at - (at % size));
	};
	for (let count = 1 + random.below(4); count > 0; count--) {
		const size = [1, 2, 4, 8][random.below(4)] as number;
		const at = place(size);
		switch (random.below(5)) {
			case 0:
				bytes[at] = random.below(256);
				break;
			case 1:
				bytes.copyWithin(at, place(8), place(8) + 8);
				break;
			case 2: {
				const field = bytes.subarray(at, at + size);
				const last = random.below(2) === 0 ? 0 : size - 1;
				field[last] = ((field[last] ?? 0) + random.below(5) - 2) & 0xff;
				break;
			}
			default: {
				const value = BigInt.asUintN(size * 8, interesting[random.below(interesting.length)] as bigint);
				const field = Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex');
				(random.below(2) === 0 ? field : field.reverse()).copy(bytes, at);
			}
		}
	}
	// Cut off now and then.
	return random.below(25) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}
