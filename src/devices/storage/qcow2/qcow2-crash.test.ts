import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {writeImage} from '#devices/storage/image';
import {
	crashEverywhere,
	crashWhileRepairing,
	crashWhileResizing,
	hasQemuImg,
	MemoryFile,
	qemuImg,
	qemuImgSays,
	SeededRandom,
} from '#devices/storage/image/testing';
import {openRaw} from '#devices/storage/raw';
import {createQcow2, openQcow2, type Qcow2Options, readQcow2Header} from './index.ts';

const withQemu = hasQemuImg ? test : test.skip;

const shapes: readonly (readonly [string, Omit<Qcow2Options, 'sizeBytes'>, number])[] = [
	['counts of 64 bits', {clusterBytes: 512, refcountBits: 64}, 2 ** 17],
	['clusters of 4 KiB', {clusterBytes: 4096}, 2 ** 17],
	['version 2', {clusterBytes: 1024, version: 2}, 2 ** 16],
];
for (const [name, options, sizeBytes] of shapes) {
	for (const layered of [false, true]) {
		test(`a crash at any moment leaves an image with all that was flushed: ${name}${layered ? ', over another' : ''}`, async (t) => {
			t.timeout(900_000);
			const path = mkdtempSync(join(tmpdir(), 'openvmm-crash-'));
			t.teardown(() => rmSync(path, {recursive: true, force: true}));
			const first = new SeededRandom(5).bytes(sizeBytes / 2);
			const below = layered ? await openRaw(MemoryFile.of(first, {writable: false})) : undefined;
			const backing = layered ? {name: 'below.raw', format: 'raw'} : undefined;
			writeFileSync(join(path, 'below.raw'), first);
			for (let seed = 1; seed <= 3; seed++) {
				await crashEverywhere(t, seed, {
					sizeBytes,
					steps: 30,
					samples: 3,
					create: (file) => createQcow2(file, {...options, sizeBytes, backing}),
					open: (file) => openQcow2(file, below),
					...(layered && {first}),
					look(bytes) {
						if (!hasQemuImg) return;
						writeFileSync(join(path, 'crashed'), bytes);
						const {status, said} = qemuImg('check', '-f', 'qcow2', join(path, 'crashed'));
						t.true(status === 0 || status === 3, `qemu-img check, where 3 are leaks: ${status} ${said}`);
					},
				});
			}
		});
	}
}

for (const compression of ['zlib', 'zstd'])
	withQemu(
		`a crash at any moment leaves clusters compressed by ${compression}, and a snapshot as it was`,
		async (t) => {
			t.timeout(900_000);
			const path = mkdtempSync(join(tmpdir(), 'openvmm-crash-'));
			t.teardown(() => rmSync(path, {recursive: true, force: true}));
			const at = (name: string) => join(path, name);
			const [sizeBytes, options] = [2 ** 17, `cluster_size=4096,lazy_refcounts=on,compression_type=${compression}`];
			// Half of each cluster is zeros, as else nothing would be compressed.
			const first = new SeededRandom(6).bytes(sizeBytes);
			for (let start = 0; start < sizeBytes; start += 4096) first.fill(0, start, start + 2048);
			writeFileSync(at('raw'), first);
			qemuImgSays(t, 'convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', options, at('raw'), at('made'));
			qemuImgSays(t, 'snapshot', '-c', 'kept', at('made'));
			for (let seed = 1; seed <= 2; seed++)
				await crashEverywhere(t, seed, {
					sizeBytes,
					steps: 20,
					samples: 2,
					create: (file) => file.write(0, readFileSync(at('made'))),
					open: (file) => openQcow2(file),
					first,
					look(bytes) {
						writeFileSync(at('crashed'), bytes);
						const {status, said} = qemuImg('check', '-f', 'qcow2', at('crashed'));
						t.true(status === 0 || status === 3, `qemu-img check, where 3 are leaks: ${status} ${said}`);
						qemuImgSays(t, 'convert', '-l', 'snapshot.name=kept', '-O', 'raw', at('crashed'), at('kept'));
						t.true(readFileSync(at('kept')).equals(first));
					},
				});
		},
	);

withQemu(
	'a crash while lazy counts that QEMU left behind are counted anew leaves an image with all that was flushed',
	async (t) => {
		t.timeout(900_000);
		const path = mkdtempSync(join(tmpdir(), 'openvmm-crash-'));
		t.teardown(() => rmSync(path, {recursive: true, force: true}));
		const made = join(path, 'made');
		const [sizeBytes, written] = [2 ** 17, 2 ** 15];
		qemuImgSays(t, 'create', '-f', 'qcow2', '-o', 'cluster_size=4096,lazy_refcounts=on', made, `${sizeBytes}`);
		const commands = [`write -P 7 0 ${written}`, 'flush', 'abort'].flatMap((command) => ['-c', command]);
		spawnSync('qemu-io', ['-f', 'qcow2', ...commands, made], {stdio: 'ignore'});
		const dirty = readFileSync(made);
		t.is((dirty[79] as number) & 1, 1, 'it says that its counts are wrong');
		let opened = 0;
		await crashEverywhere(t, 1, {
			sizeBytes,
			steps: 10,
			samples: 3,
			create: (file) => file.write(0, dirty),
			async open(file) {
				if (((await readQcow2Header(file)).incompatible & 1) !== 0) opened++;
				return openQcow2(file);
			},
			first: new Uint8Array(written).fill(7),
		});
		t.true(opened > 1, 'also after a crash');
	},
);

test('a crash while the table of counts moves to where it has room leaves an image with all that was flushed', async (t) => {
	t.timeout(900_000);
	// A cluster of the table has 64 blocks of 64 counts.
	const clusterBytes = 512;
	const sizeBytes = 64 * 64 * clusterBytes;
	const filled = 3960 * clusterBytes;
	const first = new SeededRandom(9).bytes(filled);
	const sizes = new Set<number>();
	await crashEverywhere(t, 1, {
		sizeBytes,
		steps: 12,
		samples: 5,
		async create(file) {
			await createQcow2(file, {clusterBytes, refcountBits: 64, sizeBytes});
			const image = await openQcow2(file);
			await writeImage(image, 0, first);
			await image.close();
		},
		open: async (file) => {
			sizes.add((await readQcow2Header(file)).refcountTableClusters);
			return openQcow2(file);
		},
		first,
		offset: (step) => Math.min(sizeBytes - 3 * clusterBytes, filled + step * 3 * clusterBytes),
	});
	t.deepEqual([...sizes], [1, 2]);
});

for (const version of [2, 3] as const)
	for (const layered of [false, true])
		test(`a crash while an image gets another size leaves the old size or the new one, which ends in zeros: version ${version}${layered ? ', over another' : ''}`, async (t) => {
			t.timeout(900_000);
			const below = layered ? new SeededRandom(4).bytes(2 ** 19 + 2048) : new Uint8Array(0);
			const layer = layered ? await openRaw(MemoryFile.of(below, {writable: false})) : undefined;
			const backing = layered ? {name: 'below.raw', format: 'raw'} : undefined;
			await crashWhileResizing(t, {
				create: (file) => createQcow2(file, {sizeBytes: 2 ** 18 + 512, clusterBytes: 1024, version, backing}),
				open: (file) => openQcow2(file, layer),
				samples: 3,
				sizes: [2 ** 18 + 5 * 512, 2 ** 24, 2 ** 18 + 9 * 512, 2 ** 19],
				content: new SeededRandom(3).bytes(2 ** 17),
				below,
				// What is cut off is given back first, and version 2 has no mark for zeros.
				isLeft: (sector, at) =>
					version === 2 && at >= 2 ** 18 + 9 * 512 && Buffer.compare(sector, below.subarray(at, at + 512)) === 0,
			});
		});

for (const repair of ['leaks', 'all'] as const)
	test(`a crash while an image is repaired leaves one that is, when that is done again: ${repair}`, async (t) => {
		t.timeout(900_000);
		const [sizeBytes, clusterBytes] = [2 ** 18, 512];
		const made = new MemoryFile();
		await createQcow2(made, {sizeBytes, clusterBytes});
		const image = await openQcow2(made);
		const content = new Uint8Array(sizeBytes);
		// Its counts are in several blocks.
		for (let at = 0; at < sizeBytes; at += 6 * clusterBytes) {
			const bytes = new SeededRandom(at + 1).bytes(5 * clusterBytes);
			content.set(bytes.subarray(0, sizeBytes - at), at);
			await writeImage(image, at, content.subarray(at, at + bytes.length));
		}
		await image.close();
		const bytes = Buffer.from(made.bytes());
		const u64At = (at: number) => Number(bytes.readBigUInt64BE(at) & 0x00ff_ffff_ffff_fe00n);
		const table = u64At(48);
		const blocks = [0, 1].map((index) => u64At(table + index * 8));
		t.true(blocks.every((block) => block > 0));
		const random = new SeededRandom(11);
		for (let change = 0; change < 30; change++) {
			const at = (blocks[random.below(blocks.length)] as number) + random.below(clusterBytes / 2) * 2;
			bytes.writeUInt16BE(repair === 'leaks' ? bytes.readUInt16BE(at) + 1 : random.below(3), at);
		}
		if (repair === 'all') {
			// A block of counts is nowhere any more, and marks are wrong.
			bytes.writeBigUInt64BE(0n, table + 8);
			const l1 = u64At(40);
			for (const at of [l1, l1 + 8, u64At(l1), u64At(l1) + 16, u64At(l1 + 16) + 8])
				bytes[at] = (bytes[at] as number) ^ 0x80;
		}
		const {all, partly} = await crashWhileRepairing(t, {
			damaged: MemoryFile.of(bytes),
			open: (file) => openQcow2(file),
			repair,
			content,
			samples: 3,
		});
		t.true(all > 25 && partly > 1, `${all} are repaired, ${partly} were in part`);
	});
