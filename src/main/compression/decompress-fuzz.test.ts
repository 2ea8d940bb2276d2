import test from 'ava';
import {loadKernel} from '#main/loader';
import {machineOf, mutate, noise, type Random, randomFrom, requestFor} from '#main/loader/testing';
import {isVmmError} from '#support/errors';
import {decompress} from './decompress.ts';
import {compressionFormats, findCompression} from './formats.ts';
import {archives, fixture} from './testing/index.ts';

const rounds = 400;
const limit = 2 ** 20;

/** Decompresses `bytes`, loads the result, and tells what came of it; throws errors that are not ours. */
async function attempt(bytes: Uint8Array): Promise<string> {
	const archive = findCompression(bytes);
	if (archive === undefined) return 'no archive';
	try {
		const kernel = await decompress({bytes, limit}, archive);
		if (kernel.length > limit) return `${kernel.length} bytes`;
		loadKernel(requestFor(kernel, {machine: machineOf(2 ** 24)}));
	} catch (error) {
		if (!isVmmError(error)) throw error;
		return error.code;
	}
	return 'loaded';
}

const allowed = /^(no archive|loaded|KERNEL_.*|MEMORY_.*)$/;

async function tally(seed: number, make: (random: Random) => Uint8Array): Promise<ReadonlySet<string>> {
	const random = randomFrom(seed);
	const results = new Set<string>();
	for (let round = 0; round < rounds; round++) results.add(await attempt(make(random)));
	return results;
}

for (const name of archives) {
	test(`a mutated ${name} is decompressed within its limit, or is refused with a VmmError`, async (t) => {
		t.timeout(900_000);
		const seed = fixture(name);
		const results = await tally(seed.length, (random) => mutate(seed, random));
		t.deepEqual(
			[...results].filter((result) => !allowed.test(result)),
			[],
		);
		t.true(results.has('KERNEL_UNRECOGNISED'), 'some mutations leave the archive whole');
		t.true(results.size >= 3, [...results].join());
	});
}

test('noise behind the mark of an archive is refused with a VmmError', async (t) => {
	t.timeout(900_000);
	const results = await tally(7, (random) => {
		const {magic} = compressionFormats[random.below(compressionFormats.length)] ?? compressionFormats[0];
		return Buffer.concat([Buffer.from(magic, 'latin1'), noise(random, 3000)]);
	});
	t.deepEqual(
		[...results].filter((result) => !allowed.test(result)),
		[],
	);
	t.true(results.has('KERNEL_ARCHIVE_DAMAGED'));
});
