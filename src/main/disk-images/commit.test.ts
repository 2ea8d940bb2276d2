import test from 'ava';
import {type DiskImage, type ImageFile, readImage, writeImage} from '#devices/storage/image';
import {crashDuring, MemoryFile, SeededRandom} from '#devices/storage/image/testing';
import {createImage, formats} from '#devices/storage/image-formats';
import {commitLayer} from './commit.ts';

const shapes = {
	qcow2: {blockBytes: 4096, sizeBytes: 2 ** 17},
	vhdx: {blockBytes: 2 ** 20, sizeBytes: 2 ** 21},
} as const;

for (const format of ['qcow2', 'vhdx'] as const)
	test(`a crash at any moment of a commit leaves the image reading as before, and it can be committed again: ${format}`, async (t) => {
		t.timeout(900_000);
		const {blockBytes, sizeBytes} = shapes[format];
		const random = new SeededRandom(7);
		const open = async (file: ImageFile, below?: DiskImage): Promise<DiskImage> =>
			(await formats[format].begin(file)).open(below);
		const contentOf = async (image: DiskImage) => {
			const bytes = new Uint8Array(image.sizeBytes);
			await readImage(image, 0, bytes);
			return bytes;
		};
		const fill = async (image: DiskImage) => {
			for (let count = 0; count < 8; count++) {
				const bytes = random.bytes(512 * (1 + random.below(40)));
				await writeImage(image, 512 * random.below((image.sizeBytes - bytes.length) / 512), bytes);
			}
		};
		const base = new MemoryFile();
		await createImage(format, base, {sizeBytes, blockBytes});
		const first = await open(base);
		await fill(first);
		const identities = [first.identity ?? 'none'];
		await first.close();
		const over = new MemoryFile();
		await createImage(format, over, {sizeBytes, blockBytes, backing: {name: 'base', format, identities}});
		const made = await open(over, await open(base.copy({writable: false})));
		await made.resize(sizeBytes + blockBytes);
		await fill(made);
		await made.zero(0, blockBytes);
		const expected = await contentOf(made);
		await made.close();
		/** Commits into the file below, and closes it. */
		const commit = async (file: ImageFile) => {
			const below = await open(file);
			await commitLayer(await open(over.copy({writable: false}), below), below, {});
			await below.close();
		};
		let looks = 0;
		await crashDuring(base, 2, commit, async (crashed, at) => {
			const below = await open(crashed.copy({writable: false}));
			const image = await open(over.copy({writable: false}), below);
			if (Buffer.compare(await contentOf(image), expected) !== 0) throw new Error(`${at}: it reads as something else`);
			const {faults, faultCount} = await below.check();
			if (faultCount > 0) throw new Error(`${at}: ${faults.join('; ')}`);
			if (++looks % 5 !== 0) return;
			await commit(crashed);
			const merged = await contentOf(await open(crashed));
			if (Buffer.compare(merged, expected) !== 0) throw new Error(`${at}: what is committed again is something else`);
		});
		t.true(looks > 20, `${looks}`);
	});
