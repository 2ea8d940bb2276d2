import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {hasQemuImg, MemoryFile, ModelDisk, qemuImgSays, SeededRandom} from '#devices/storage/image/testing';
import {openRaw} from '#devices/storage/raw';
import {createQcow2, openQcow2, type Qcow2Options} from './index.ts';

function folder(t: ExecutionContext): string {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-images-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	return path;
}

const shapes: readonly (readonly [string, Omit<Qcow2Options, 'sizeBytes'>, number])[] = [
	['clusters of 512 bytes', {clusterBytes: 512}, 2 ** 18],
	['clusters of 64 KiB', {}, 2 ** 22],
	['version 2, clusters of 1 KiB', {version: 2, clusterBytes: 1024}, 2 ** 19],
	// So many counts take a table of more than a cluster: it has to grow.
	['counts of 64 bits', {clusterBytes: 512, refcountBits: 64}, 2 ** 21 + 2 ** 19],
	['counts of 1 bit', {clusterBytes: 512, refcountBits: 1}, 2 ** 18],
];

for (const [name, options, sizeBytes] of shapes) {
	test(`a disk is as a buffer is: ${name}`, async (t) => {
		t.timeout(900_000);
		for (let seed = 1; seed <= 6; seed++) {
			const file = new MemoryFile();
			const hasBelow = seed % 2 === 0;
			const random = new SeededRandom(seed);
			const belowBytes = random.bytes(sizeBytes / 2);
			const below = hasBelow ? await openRaw(MemoryFile.of(belowBytes)) : undefined;
			await createQcow2(file, {
				...options,
				sizeBytes,
				backing: hasBelow ? {name: 'below.raw', format: 'raw'} : undefined,
			});
			let image = await openQcow2(file, below);
			const expected = new Uint8Array(sizeBytes);
			if (hasBelow) expected.set(belowBytes);
			let model = new ModelDisk(image, random, expected);
			t.is(await model.difference(), -1, `seed ${seed}`);
			for (let round = 0; round < 6; round++) {
				for (let step = 0; step < 25; step++) await model.step({resizes: true});
				const at = await model.difference();
				t.is(at, -1, `seed ${seed}, round ${round}: ${model.log.join(', ')}`);
				await image.close();
				image = await openQcow2(file, below);
				const log = [...model.log];
				model = new ModelDisk(image, random, model.expected);
				model.log.push(...log);
				t.is(await model.difference(), -1, `seed ${seed}, round ${round}, opened again`);
				t.deepEqual(
					await image.check(),
					{leaks: 0, faultCount: 0, faults: [], repaired: 0},
					`seed ${seed}: ${model.log.join(', ')}`,
				);
			}
			if (!hasQemuImg) continue;
			const at = folder(t);
			writeFileSync(join(at, 'below.raw'), belowBytes);
			writeFileSync(join(at, 'it.qcow2'), file.bytes());
			writeFileSync(join(at, 'it.raw'), model.expected);
			qemuImgSays(t, 'check', '-f', 'qcow2', join(at, 'it.qcow2'));
			qemuImgSays(t, 'compare', '-f', 'qcow2', '-F', 'raw', join(at, 'it.qcow2'), join(at, 'it.raw'));
		}
	});
}
