import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gzipSync, zstdCompressSync} from 'node:zlib';
import test, {type ExecutionContext} from 'ava';
import {FileTree, Spool} from '#main/file-tree';
import {mutate, noise, type Random, randomFrom} from '#main/loader/testing';
import {makeTar} from '#main/tar/testing';
import {isVmmError} from '#support/errors';
import {parseConfig} from './image-config.ts';
import {forPlatform, parseManifest} from './manifest.ts';
import {parseReference} from './reference.ts';
import {unpackLayer} from './root-disk.ts';
import {descriptorOf, digestOf, makeBlob, makeImage} from './testing/index.ts';

const rounds = 400;
/** Each writes and reads files. */
const layerRounds = 150;

/** What came of it; throws errors that are not ours. */
async function attempt(work: () => unknown): Promise<string> {
	try {
		await work();
		return 'done';
	} catch (error) {
		if (!isVmmError(error)) throw error;
		return error.code;
	}
}

async function tally(
	t: ExecutionContext,
	seed: number,
	work: (random: Random) => unknown,
	allowed: RegExp,
	count = rounds,
): Promise<void> {
	const random = randomFrom(seed);
	const results = new Set<string>();
	for (let round = 0; round < count; round++) results.add(await attempt(() => work(random)));
	t.deepEqual(
		[...results].filter((result) => !allowed.test(result)),
		[],
	);
	t.true(results.has('done') && results.size >= 2, [...results].join());
}

/** A header of pax with these fields. */
const pax = (...fields: readonly string[]) => ({
	path: 'x',
	type: 'x',
	data: fields.map((field) => `${field.length + 4} ${field}\n`).join(''),
});
const members = [
	{path: 'bin/'},
	pax('GNU.sparse.size=9', 'GNU.sparse.map=0,1,5,1'),
	{path: 'holes', data: 'ab'},
	pax('GNU.sparse.major=1', 'GNU.sparse.minor=0', 'GNU.sparse.realsize=9'),
	{path: 'more', data: `${'1\n5\n1\n'.padEnd(512, '\0')}x`},
	{path: 'old', type: 'S'},
	{path: 'x', type: 'x', data: '19 path=bin/längs\n'},
	{path: 'bin/a', data: 'a'.repeat(3000), mode: 0o4755},
	{path: 'b', type: '1', target: 'bin/längs'},
	{path: 'c', type: '2', target: '../bin'},
	{path: 'c/d', data: 'd'},
	{path: 'dev', type: '3', device: [1, 3]},
	{path: 'bin/.wh.old'},
	{path: 'c/.wh..wh..opq'},
	{path: `${'long/'.repeat(40)}x`, data: 'x'},
] as const;
const archive = makeTar(members);

for (const compression of [undefined, 'gzip', 'zstd'] as const)
	test(`a mutated layer of ${compression ?? 'tar'} is unpacked within its limits, or is refused with a VmmError`, async (t) => {
		t.timeout(900_000);
		const folder = await mkdtemp(join(tmpdir(), 'fuzz-'));
		t.teardown(() => rm(folder, {recursive: true, force: true}));
		const path = join(folder, 'layer');
		const pack = {gzip: gzipSync, zstd: zstdCompressSync};
		const unpack = async (random: Random) => {
			// Mutated inside, a layer says more than mutated outside, where a checksum is wrong.
			const inside = compression !== undefined && random.below(4) > 0;
			const changed = random.below(20) === 0 ? noise(random, 4000) : summed(mutated(archive, random), random);
			const bytes =
				compression === undefined
					? changed
					: inside
						? pack[compression](changed)
						: mutated(pack[compression](archive), random);
			await writeFile(path, bytes);
			await using spool = await Spool.open(folder, 2 ** 20);
			await unpackLayer(
				new FileTree(0),
				spool,
				{path, digest: digestOf(bytes), size: bytes.length, compression, diffId: undefined},
				() => {},
			);
		};
		await tally(t, archive.length, unpack, /^(done|OCI_LAYER_DAMAGED|TREE_TOO_LARGE)$/, layerRounds);
	});

/** A Buffer's slice is no copy. */
const mutated = (bytes: Uint8Array, random: Random) => mutate(Uint8Array.from(bytes), random);

/** Most headers with the checksums that they have to have: little would get past them. */
function summed(bytes: Uint8Array, random: Random): Buffer {
	const archive = Buffer.from(bytes);
	for (let at = 0; at + 512 <= archive.length; at += 512) {
		const header = archive.subarray(at, at + 512);
		if (header.toString('latin1', 257, 262) !== 'ustar' || random.below(100) === 0) continue;
		header.fill(' ', 148, 156);
		header.write(
			`${header
				.reduce((sum, byte) => sum + byte, 0)
				.toString(8)
				.padStart(6, '0')}\0 `,
			148,
			'latin1',
		);
	}
	return archive;
}

const image = makeImage({
	layers: [members],
	compression: 'gzip',
	config: {Env: ['A=b'], Cmd: ['x'], ExposedPorts: {'80/tcp': {}}, StopSignal: 'SIGINT', Labels: {a: 'b'}},
});
const index = makeBlob('application/vnd.oci.image.index.v1+json', {
	schemaVersion: 2,
	manifests: [{...descriptorOf(image.manifest), platform: {os: 'linux', architecture: 'amd64', variant: 'v1'}}],
});
const texts: readonly (readonly [what: string, bytes: Buffer, parse: (bytes: Uint8Array) => unknown])[] = [
	['manifest', image.manifest.bytes, (bytes) => parseManifest('it', bytes, undefined)],
	[
		'index',
		index.bytes,
		(bytes) => {
			const found = parseManifest('it', bytes, index.mediaType);
			return found.kind === 'index' && forPlatform(found);
		},
	],
	['configuration', image.config.bytes, (bytes) => parseConfig('it', bytes)],
];
for (const [what, bytes, parse] of texts)
	test(`a mutated ${what} is parsed, or is refused with a VmmError`, async (t) => {
		await tally(
			t,
			bytes.length,
			(random) => parse(random.below(2) > 0 ? mutated(bytes, random) : otherValues(bytes, random)),
			/^(done|OCI_.*)$/,
		);
	});

/** Values in place of others: a text that is JSON all the same goes further. */
function otherValues(bytes: Buffer, random: Random): Buffer {
	const values: readonly unknown[] = [null, -1, 2 ** 60, '', 'x', [], {}, true, [null], {__proto__: null}, 'sha256:'];
	const change = (value: unknown): unknown => {
		if (random.below(12) === 0) return values[random.below(values.length)];
		if (Array.isArray(value)) return value.map(change);
		if (typeof value !== 'object' || value === null) return value;
		return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, change(each)]));
	};
	return Buffer.from(JSON.stringify(change(JSON.parse(bytes.toString()))) ?? '');
}

test('a mutated name is a reference, or is refused with a VmmError', async (t) => {
	const name = 'registry.example:5000/team/app:v1';
	const letters = [...name, '@', '..', '/', ':', '-', '_', ' ', 'A', '\0'];
	const changed = (random: Random) =>
		[...name]
			.map((letter) => (random.below(15) === 0 ? (letters[random.below(letters.length)] as string) : letter))
			.join('');
	await tally(t, 3, (random) => parseReference(changed(random)), /^(done|OCI_NAME_INVALID)$/);
});
