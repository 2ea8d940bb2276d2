import type {ExecutionContext} from 'ava';
import {type Disk, DiskError, DiskOperation} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import type {Stack} from './disk-stack.ts';

/** What is done to a disk at random. */
export interface RandomLoad {
	readonly seed: number;
	readonly steps: number;
	/** What it reads as at first. */
	readonly content: Uint8Array;
	/** The disk as several workers have it. */
	readonly disks?: readonly Disk[];
	/** Discarded ranges read as this or as what was there; else as zeros or as what was there. */
	readonly discarded?: Uint8Array;
	/** Longest range, in bytes. */
	readonly most?: number;
}

const sector = 512;

/** Does random things to a disk, several at once where their ranges are apart, beside a buffer that has the same done to it. */
export async function randomLoad(t: ExecutionContext, stack: Stack, load: RandomLoad): Promise<Uint8Array> {
	const {seed, steps, content, disks = [stack.disk], most = 2 ** 17} = load;
	const random = new SeededRandom(seed);
	// A copy, also of a Buffer.
	const expected = new Uint8Array(content);
	const log: string[] = [];
	const same = (got: Buffer | DiskError, offset: number, length: number) => {
		if (typeof got !== 'number' && Buffer.compare(got, expected.subarray(offset, offset + length)) === 0) return;
		t.fail(
			`seed ${seed}: read ${offset}+${length}: ${typeof got === 'number' ? `error ${got}` : 'differs'}; ${log.join('; ')}`,
		);
	};
	for (let step = 0; step < steps; step++) {
		// Ranges that are under way together are of parts of the disk of their own.
		const jobs = 1 + random.below(4);
		const share = Math.floor(expected.length / sector / jobs) * sector;
		await Promise.all(
			Array.from({length: jobs}, async (_, job) => {
				const offset = job * share + random.below(share / sector) * sector;
				const rest = (job + 1) * share - offset;
				const disk = disks[random.below(disks.length)] as Disk;
				const what = random.below(10);
				const longest = what < 8 ? most : Math.min(most, disk.geometry.mostClearedBytes);
				const length = Math.min(rest, (1 + random.below(random.below(3) === 0 ? longest / sector : 12)) * sector);
				log.push(`${what} ${offset}+${length}`);
				if (what < 4) {
					const bytes = random.bytes(length);
					expected.set(bytes, offset);
					t.is(await stack.write(offset, bytes, disk), DiskError.NONE);
				} else if (what < 7) same(await stack.read(offset, length, disk), offset, length);
				else if (what === 7) {
					t.is(await stack.run({operation: DiskOperation.FLUSH}, disk), DiskError.NONE);
				} else if (what === 8) {
					const mayUnmap = random.below(2) === 0;
					expected.fill(0, offset, offset + length);
					t.is(
						await stack.run({operation: DiskOperation.WRITE_ZEROES, offset, length, mayUnmap}, disk),
						DiskError.NONE,
					);
				} else {
					t.is(await stack.run({operation: DiskOperation.DISCARD, offset, length}, disk), DiskError.NONE);
					const got = await stack.read(offset, length, disk);
					if (typeof got === 'number') t.fail(`error ${got}`);
					else followDiscard(t, got, expected.subarray(offset, offset + length), load.discarded?.subarray(offset));
				}
			}),
		);
	}
	same(await stack.read(0, expected.length), 0, expected.length);
	return expected;
}

/** A discarded sector reads as it did, as zeros, or as it is below; from then on as that. */
function followDiscard(t: ExecutionContext, got: Buffer, expected: Uint8Array, below: Uint8Array | undefined): void {
	const zeros = new Uint8Array(sector);
	for (let at = 0; at < got.length; at += sector) {
		const now = got.subarray(at, at + sector);
		const may = [expected.subarray(at, at + sector), zeros, ...(below ? [below.subarray(at, at + sector)] : [])];
		if (!may.some((each) => Buffer.compare(now, each) === 0))
			t.fail('a discarded sector reads as what never was there');
		expected.set(now, at);
	}
}
