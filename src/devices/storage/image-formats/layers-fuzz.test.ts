import {mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, sep} from 'node:path';
import test from 'ava';
import {MemoryFile, SeededRandom} from '#devices/storage/image/testing';
import {createQcow2} from '#devices/storage/qcow2';
import {isVmmError} from '#support/errors';
import {openDisk} from './index.ts';

const sizeBytes = 2 ** 16;
const rounds = 400;
const folder = mkdtempSync(join(tmpdir(), 'openvmm-layers-fuzz-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));
const [images, outside] = [join(folder, 'images'), join(folder, 'outside')];

/** An image that says that it lies over something. */
async function imageOver(name: string, format?: string): Promise<Uint8Array> {
	const file = new MemoryFile();
	await createQcow2(file, {sizeBytes, clusterBytes: 512, backing: {name, format}});
	return file.bytes();
}

/** Whatever this process has open: paths, and what is none, by the names that Linux gives it. */
const openFiles = (): string[] =>
	readdirSync('/proc/self/fd').flatMap((fd) => {
		try {
			return [readlinkSync(`/proc/self/fd/${fd}`)];
		} catch {
			// The folder itself was open while it was read.
			return [];
		}
	});

/** What of it was not open before: a descriptor of the test's own, as of its pipes, may be closed or moved meanwhile. */
const openedSince = (before: readonly string[]): string[] => openFiles().filter((path) => !before.includes(path));

test.serial(
	'images over each other, in circles, out of their folder and over what is none lead to no file elsewhere',
	async (t) => {
		t.timeout(900_000);
		const random = new SeededRandom(1);
		const any = <T>(values: readonly T[]) => values[random.below(values.length)] as T;
		const names = ['a.qcow2', 'b.qcow2', 'c.qcow2', 'within/d.qcow2'];
		const endings = new Map<string, number>();
		let deepest = 0;
		for (let round = 0; round < rounds; round++) {
			for (const path of [images, outside]) {
				rmSync(path, {recursive: true, force: true});
				mkdirSync(join(path, 'within'), {recursive: true});
				writeFileSync(join(path, 'base.raw'), Buffer.alloc(sizeBytes));
			}
			symlinkSync(outside, join(images, 'out'));
			symlinkSync('base.raw', join(images, 'link.raw'));
			symlinkSync('../outside/base.raw', join(images, 'away.raw'));
			symlinkSync('round', join(images, 'round'));
			writeFileSync(join(outside, 'e.qcow2'), await imageOver('base.raw'));
			const leads = [
				...names,
				...names.map((name) => join(images, name)),
				...['base.raw', 'link.raw', './within/../base.raw', 'within/../../images/base.raw', 'within', '.', ''],
				...['away.raw', 'out/base.raw', 'out/e.qcow2', '../outside/e.qcow2', '../images/../outside/base.raw', 'round'],
				...[
					join(outside, 'base.raw'),
					'/etc/passwd',
					'/proc/self/environ',
					'/dev/zero',
					'nothing.raw',
					'base.raw\0.qcow2',
				],
				...['nbd://127.0.0.1/x', 'json:{}', 'fd:0', `${'../'.repeat(40)}etc/passwd`, 'x'.repeat(300)],
			];
			for (const name of names)
				writeFileSync(
					join(images, name),
					await imageOver(any(leads), any([undefined, undefined, 'raw', 'qcow2', 'vhdx'])),
				);
			const isWritable = random.below(4) === 0;
			const before = openFiles();
			try {
				const disk = await openDisk(join(images, any(names)), {writable: isWritable});
				const opened = openedSince(before);
				t.is(opened.length, disk.files.length, `round ${round}`);
				deepest = Math.max(deepest, disk.files.length);
				t.deepEqual(
					opened.filter((path) => !path.startsWith(images + sep)),
					[],
					`round ${round}`,
				);
				t.deepEqual(
					disk.files.filter(({path}) => !path.startsWith(images + sep)),
					[],
					`round ${round}`,
				);
				await disk.close();
				endings.set('opened', (endings.get('opened') ?? 0) + 1);
			} catch (error) {
				if (!isVmmError(error)) throw new Error(`round ${round}`, {cause: error});
				endings.set(error.code, (endings.get(error.code) ?? 0) + 1);
			}
			t.deepEqual(openedSince(before), [], `round ${round}: all are closed`);
		}
		t.true(deepest >= 3, `${deepest}`);
		for (const ending of [
			'opened',
			'DISK_LAYER_OUTSIDE',
			'DISK_LAYERS_LOOP',
			'DISK_LAYER_REMOTE',
			'DISK_LAYER_MISSING',
		])
			t.true((endings.get(ending) ?? 0) > 5, JSON.stringify([...endings]));
	},
);

test.serial('of a chain of 10,000 images no more are opened than may be, and all are closed again', async (t) => {
	t.timeout(900_000);
	const path = join(folder, 'chain');
	mkdirSync(path);
	writeFileSync(join(path, '0.raw'), Buffer.alloc(sizeBytes));
	writeFileSync(join(path, '1.qcow2'), await imageOver('0.raw'));
	for (let number = 2; number <= 10_000; number++)
		writeFileSync(join(path, `${number}.qcow2`), await imageOver(`${number - 1}.qcow2`));
	const before = openFiles();
	await t.throwsAsync(openDisk(join(path, '10000.qcow2'), {writable: false}), {code: 'DISK_LAYERS_TOO_MANY'});
	t.deepEqual(openedSince(before), []);
});
