/** Numbers that instructions treat differently, more often than chance would have them. */
import type {Random} from './random.ts';

/** 2^n - 1, 2^n, 2^n + 1 and their negatives, as pairs of words. */
const edges = new Uint32Array(
	new BigUint64Array(
		Array.from({length: 65}, (_, n) => [-1n, 0n, 1n].flatMap((by) => [(1n << BigInt(n)) + by, -(1n << BigInt(n)) + by]))
			.flat()
			.map((value) => BigInt.asUintN(64, value)),
	).buffer,
);
const edgeCount = edges.length / 2;

/** Writes a 64-bit value as two words: any; small, of either sign; near a power of two; or such in its low 8, 16 or 32 bits. */
export function writeValue(words: Uint32Array, at: number, random: Random): void {
	const choice = random.u32();
	const low = random.u32();
	const high = random.u32();
	const edge = 2 * ((choice >>> 8) % edgeCount);
	const edgeLow = edges[edge] as number;
	words[at + 1] = high;
	switch (choice & 7) {
		case 0:
		case 1:
			words[at] = low;
			break;
		case 2:
			words[at] = low & 0x3f;
			words[at + 1] = 0;
			break;
		case 3:
			words[at] = ~(low & 0x3f);
			words[at + 1] = 0xffff_ffff;
			break;
		case 4:
			words[at] = (low & ~0xff) | (edgeLow & 0xff);
			break;
		case 5:
			words[at] = (low & ~0xffff) | (edgeLow & 0xffff);
			break;
		case 6:
			words[at] = edgeLow;
			break;
		default:
			words[at] = edgeLow;
			words[at + 1] = edges[edge + 1] as number;
	}
}

/** A count for shifts, rotations and bits: around nothing, the operand's width, and the processor's limits. */
export function interestingCount(width: number, random: Random): number {
	const counts = [0, 1, 1, 2, width - 1, width, width + 1, 31, 32, 33, 63, 64, 65];
	return random.oneIn(2) ? random.pick(counts) & 0xff : random.below(256);
}
