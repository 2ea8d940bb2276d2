import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {writeImage} from '#devices/storage/image';
import {
	crashEverywhere,
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

test('a crash while an image gets another size leaves the old size or the new one', async (t) => {
	// An L1 table of a cluster is enough for 2 MiB.
	await crashWhileResizing(t, {
		create: (file) => createQcow2(file, {sizeBytes: 2 ** 20, clusterBytes: 512}),
		open: (file) => openQcow2(file),
		samples: 5,
		sizes: [2 ** 22, 2 ** 19, 2 ** 23],
		content: new SeededRandom(3).bytes(2 ** 18),
	});
});
