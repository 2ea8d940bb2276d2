import {SeededRandom} from '#devices/storage/image/testing';

/** A range that is written; it gets zeros, and may be given back, where there are no bytes. */
interface RangeChange {
	readonly offset: number;
	readonly length: number;
	readonly bytes?: Uint8Array;
}

/** Changes of one round, in parts of the disk of their own: in whatever order they end, the disk is the same. */
const perRound = 6;
const sectorBytes = 512;

/** What is done to a disk in a round. The same in whichever process asks. */
export function changesOf(round: number, diskBytes: number): readonly RangeChange[] {
	const random = new SeededRandom(round);
	const share = Math.floor(diskBytes / perRound / sectorBytes);
	return Array.from({length: perRound}, (_, part) => {
		const start = random.below(share);
		const sectors = 1 + random.below(Math.min(share - start, 300));
		const range = {offset: (part * share + start) * sectorBytes, length: sectors * sectorBytes};
		return random.below(4) === 0 ? range : {...range, bytes: random.bytes(range.length)};
	});
}
