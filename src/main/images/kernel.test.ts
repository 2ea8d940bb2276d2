import {createHash} from 'node:crypto';
import {existsSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import test from 'ava';
import {FileTree, Spool} from '#main/file-tree';
import {gather} from '#main/tar';
import {unpackAll} from './debian-image.ts';
import {Kernel} from './kernel.ts';

const packages = new URL('../../../.packages/', import.meta.url);
const stamp = new URL('packages.json', packages);

/** Runs with the packages that `npm run flowey -- restore-packages` fetches, and says so when there are none. */
const withDebian = existsSync(stamp) ? test : test.skip;

withDebian(
	'Debian’s kernel packages have a kernel, and the drivers of its disk with all that those need',
	async (t) => {
		const {kernel: files} = JSON.parse(readFileSync(stamp, 'utf8')) as {kernel: readonly string[]};
		await using spool = await Spool.open(tmpdir(), 2 ** 30);
		const tree = new FileTree(0);
		const paths = files.map((path) => new URL(path, packages).pathname);
		const unpacker = await unpackAll(paths, tree, spool);
		const kernel = await Kernel.open(tree);
		t.regex(kernel.release, /^\d+\.\d+\..*-amd64$/);

		const guest = new FileTree(0);
		await kernel.addModules(guest, ['virtio_pci', 'virtio_blk', 'ext4']);
		const table = guest.find(`lib/modules/${kernel.release}/modules.dep`);
		t.true(table?.kind === 'file');
		const dep = table?.kind === 'file' ? Buffer.from(await gather(table.content.pieces())).toString() : '';
		t.regex(dep, /\/virtio_blk\.ko: .*\/virtio\.ko .*\/virtio_ring\.ko\n/);

		// Checksums that the packages have of their own files.
		let checked = 0;
		for (const {deb} of unpacker.packages) {
			for (const line of Buffer.from(deb.controlFiles.get('md5sums') ?? [])
				.toString()
				.split('\n')) {
				const [sum = '', path = ''] = line.split(/ {2}/);
				const node = tree.find(path);
				if (node?.kind !== 'file') continue;
				const hash = createHash('md5');
				for await (const piece of node.content.pieces()) hash.update(piece);
				t.is(hash.digest('hex'), sum, path);
				checked++;
			}
		}
		t.true(checked > 1000, `${checked} files`);
	},
);
