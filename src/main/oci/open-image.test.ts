import {spawn, spawnSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {
	chmod,
	lstat,
	mkdir,
	mkdtemp,
	open,
	readdir,
	readFile,
	rm,
	stat,
	symlink,
	utimes,
	writeFile,
} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gzipSync, zstdCompressSync} from 'node:zlib';
import test, {type ExecutionContext} from 'ava';
import {checkExt4, debugfs, hasExt4Tools} from '#main/ext4/testing';
import {type MadeMember, makeTar} from '#main/tar/testing';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import {inspectImage, listImages, loadImage, type OpenedImage, openImage, pruneImages, removeImage} from './index.ts';
import {layoutFiles, type MadeParts, makeBlob, makeImage, writeLayout} from './testing/index.ts';

/** Folder of a test, gone with it. */
async function folderOf(t: ExecutionContext): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'image-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	return folder;
}

const freeBytes = 2 ** 24;
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
const xattr = (bytes: Buffer, name = 'security.capability'): MadeMember => {
	const field = Buffer.concat([Buffer.from(` SCHILY.xattr.${name}=`), bytes, Buffer.from('\n')]);
	const length = field.length + 2;
	return {path: 'x', type: 'x', data: Buffer.concat([Buffer.from(`${length}`), field])};
};
const system: readonly MadeMember[] = [
	xattr(Buffer.from('a=b'), 'user.origin'),
	{path: 'bin/'},
	xattr(capability),
	{path: 'bin/ping', data: 'ping', mode: 0o755},
	{path: 'bin/pong', type: '1', target: 'bin/ping'},
	{path: 'etc/motd', data: 'hello', user: 1000, group: 70_000, modified: 1_700_000_000},
	{path: 'etc/gone', data: 'gone'},
	{path: 'etc/link', type: '2', target: '/etc/motd'},
	{path: 'dev/null', type: '3', device: [1, 3], mode: 0o666},
];
const above: readonly MadeMember[] = [{path: 'etc/.wh.gone'}, {path: 'etc/big', data: 'b'.repeat(300_000)}];
const config = {
	Env: ['PATH=/bin', 'A=b=c'],
	Entrypoint: ['/bin/ping'],
	Cmd: ['-c', '1'],
	WorkingDir: '/etc',
	User: '1000:70000',
	ExposedPorts: {'80/tcp': {}, '53/udp': {}, '8080': {}},
	StopSignal: '2',
	Labels: {a: 'b'},
};
const image = (extra: object = {}): MadeParts =>
	makeImage({layers: [system, above], compression: 'gzip', config, ...extra});

function root(t: ExecutionContext, opened: OpenedImage): Extract<OpenedImage, {kind: 'root'}> {
	if (opened.kind === 'root') return opened;
	t.fail(`it is a ${opened.kind}`);
	throw new Error('no root');
}

/** Archives of images, as their makers write them. */
const archives: Readonly<Record<string, (parts: MadeParts) => Buffer>> = {
	'an archive of a layout': (parts) => makeTar([...layoutFiles({v1: parts})].map(([path, data]) => ({path, data}))),
	'what docker save writes': (parts) => {
		const [first, second] = parts.layers.map(({digest}) => digest.slice(7));
		return makeTar([
			...parts.layers.map(({bytes, digest}) => ({path: `${digest.slice(7)}/layer.tar`, data: bytes})),
			{path: 'other/layer.tar', type: '2', target: `../${second}/layer.tar`},
			{path: 'abc.json', data: parts.config.bytes},
			{
				path: 'manifest.json',
				data: JSON.stringify([
					{Config: 'abc.json', RepoTags: ['app:v1'], Layers: [`${first}/layer.tar`, 'other/layer.tar']},
				]),
			},
		]);
	},
};

for (const [what, make] of Object.entries(archives))
	for (const compression of ['gzip', 'zstd', undefined] as const)
		test(`${what} with layers of ${compression ?? 'tar'} becomes a root with all that its image says`, async (t) => {
			const folder = await folderOf(t);
			const cache = join(folder, 'cache');
			const path = join(folder, 'image.tar');
			await writeFile(path, make(image({compression})));
			const opened = root(t, await openImage({image: path, cache, freeBytes}));
			t.deepEqual(opened.config, {
				env: config.Env,
				entrypoint: ['/bin/ping'],
				cmd: ['-c', '1'],
				workingDir: '/etc',
				user: '1000:70000',
				exposedPorts: [
					{port: 8080, protocol: 'tcp'},
					{port: 80, protocol: 'tcp'},
					{port: 53, protocol: 'udp'},
				],
				stopSignal: 'SIGINT',
				labels: {a: 'b'},
			});
			t.is((await stat(opened.path)).size, opened.sizeBytes);
			t.true((await stat(opened.path)).blocks * 512 < opened.sizeBytes / 4, 'what is empty is a hole');
			if (!hasExt4Tools) return;
			checkExt4(t, opened.path);
			t.is(debugfs(opened.path, 'cat /etc/motd'), 'hello');
			t.is(debugfs(opened.path, 'cat /etc/big').length, 300_000);
			t.regex(debugfs(opened.path, 'stat /etc/motd'), /User: +1000 +Group: +70000/);
			t.regex(debugfs(opened.path, 'stat /bin/pong'), /Links: 2[\s\S]*security\.capability/);
			t.regex(debugfs(opened.path, 'ea_get /bin user.origin'), /a=b/);
			t.regex(debugfs(opened.path, 'stat /dev/null'), /character special[\s\S]*01:03/);
			t.false(debugfs(opened.path, 'ls /etc').includes('gone'));
			t.false(debugfs(opened.path, 'ls /').includes('.wh.'));
		});

test('the same image gives the same bytes, from whatever it is read, and is made once', async (t) => {
	const folder = await folderOf(t);
	const layout = await writeLayout(join(folder, 'layout'), {v1: image()});
	const saved = join(folder, 'saved.tar.gz');
	await writeFile(saved, gzipSync((archives['what docker save writes'] as (parts: MadeParts) => Buffer)(image())));
	const [first, second] = [join(folder, 'one'), join(folder, 'two')];
	const one = root(t, await openImage({image: `oci:${layout}`, cache: first, freeBytes}));
	const two = root(t, await openImage({image: saved, cache: second, freeBytes}));
	t.true((await readFile(one.path)).equals(await readFile(two.path)));
	const {ino} = await stat(one.path);
	const steps: string[] = [];
	const again = root(
		t,
		await openImage({image: `oci:${layout}#v1`, cache: first, freeBytes}, {progress: (step) => steps.push(step)}),
	);
	t.is((await stat(again.path)).ino, ino);
	t.false(steps.includes('unpack'));
	t.deepEqual(await readdir(join(first, 'partial')), []);
});

test('several that open an image at once get one that is whole', async (t) => {
	const folder = await folderOf(t);
	const layout = await writeLayout(join(folder, 'layout'), {v1: image()});
	const cache = join(folder, 'cache');
	await mkdir(cache, {mode: 0o700});
	const opened = await Promise.all(
		Array.from({length: 8}, async () => {
			const one = root(t, await openImage({image: `oci:${layout}`, cache, freeBytes}));
			return readFile(one.path);
		}),
	);
	t.true(opened.every((bytes) => bytes.equals(opened[0] as Buffer)));
	t.deepEqual(await readdir(join(cache, 'partial')), []);
});

test('an image may have checksums of SHA-512, which it is held to', async (t) => {
	const folder = await folderOf(t);
	const parts = image({algorithm: 'sha512'});
	const layout = await writeLayout(join(folder, 'layout'), {v1: parts});
	const saved = join(folder, 'image.tar');
	await writeFile(saved, (archives['an archive of a layout'] as (parts: MadeParts) => Buffer)(parts));
	for (const [index, name] of [`oci:${layout}`, saved].entries()) {
		const opened = root(t, await openImage({image: name, cache: join(folder, `cache-${index}`), freeBytes}));
		t.regex(opened.digest, /^sha512:[0-9a-f]{128}$/);
	}
	const cache = join(folder, 'cache-0');
	t.is((await readdir(join(cache, 'sha512'))).length, parts.blobs.size);
	const again = await openImage({image: `oci:${layout}`, cache, freeBytes, pull: 'never'});
	t.is(root(t, again).digest, parts.manifest.digest);
	const [layer] = parts.layers;
	const path = join(layout, 'blobs', `${layer?.digest}`.replace(':', '/'));
	const bytes = await readFile(path);
	bytes[20] = (bytes[20] as number) ^ 1;
	await writeFile(path, bytes);
	await t.throwsAsync(openImage({image: `oci:${layout}`, cache: join(folder, 'cache-2'), freeBytes}), {
		code: 'OCI_BLOB_DAMAGED',
	});
	await removeImage((await listImages({cache}))[0]?.name ?? '', {cache});
	t.deepEqual(await readdir(join(cache, 'sha512')), []);
});

test('an archive that has changed is read again', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const path = join(folder, 'image.tar');
	const make = archives['an archive of a layout'] as (parts: MadeParts) => Buffer;
	await writeFile(path, make(image()));
	const first = root(t, await openImage({image: path, cache, freeBytes}));
	await writeFile(path, make(image({layers: [system]})));
	const second = root(t, await openImage({image: path, cache, freeBytes}));
	t.not(first.digest, second.digest);
});

for (const name of ['root.tar', 'root.tar.gz'])
	test(`${name} with a root file system becomes a root, with its holes filled`, async (t) => {
		const folder = await folderOf(t);
		const bytes = makeTar([...system, {path: 'manifest.json', data: '{}'}]);
		await writeFile(join(folder, name), name.endsWith('gz') ? gzipSync(bytes) : bytes);
		const opened = root(t, await openImage({image: join(folder, name), cache: join(folder, 'cache'), freeBytes}));
		t.is(opened.config.workingDir, '/');
		if (!hasExt4Tools) return;
		checkExt4(t, opened.path);
		t.is(debugfs(opened.path, 'cat /etc/gone'), 'gone');
	});

test('a folder is copied, as it is, and again when it changes', async (t) => {
	const folder = await folderOf(t);
	const [source, cache] = [join(folder, 'root'), join(folder, 'cache')];
	await mkdir(join(source, 'etc'), {recursive: true});
	await writeFile(join(source, 'etc/motd'), 'hello');
	await chmod(join(source, 'etc/motd'), 0o640);
	await symlink('/etc/shadow', join(source, 'secret'));
	const handle = await open(join(source, 'big'), 'w');
	await handle.truncate(2 ** 22);
	await handle.close();
	const first = root(t, await openImage({image: source, cache, freeBytes}));
	t.is(root(t, await openImage({image: source, cache, freeBytes})).path, first.path);
	if (hasExt4Tools) {
		checkExt4(t, first.path);
		t.is(debugfs(first.path, 'cat /etc/motd'), 'hello');
		t.regex(debugfs(first.path, 'stat /etc/motd'), /Mode: +0640[\s\S]*User: +0 +Group: +0/);
		t.regex(debugfs(first.path, 'stat /secret'), /Fast link dest: "\/etc\/shadow"/);
	}
	await writeFile(join(source, 'etc/motd'), 'hallo');
	t.not(root(t, await openImage({image: `folder:${source}`, cache, freeBytes})).path, first.path);
	t.deepEqual((await openImage({image: source, folder: 'share'})).kind, 'folder');
});

test('a disk is what its name or its prefix says, and is not looked at', async (t) => {
	t.deepEqual(await openImage({image: 'x/y.qcow2'}), {kind: 'disk', path: 'x/y.qcow2', format: 'qcow2'});
	t.deepEqual(await openImage({image: 'raw:x/y'}), {kind: 'disk', path: 'x/y', format: 'raw'});
});

test('what a folder is has to be said where it may have come from a guest', async (t) => {
	const layout = await writeLayout(join(await folderOf(t), 'l'), {v1: image()});
	await t.throwsAsync(openImage({image: layout, cache: join(layout, 'cache')}), {code: 'OCI_KIND_UNSTATED'});
	await writeFile(join(layout, 'plain'), '');
	await t.throwsAsync(openImage({image: join(layout, 'plain')}), {code: 'OCI_KIND_UNSTATED'});
	await t.throwsAsync(openImage({image: join(layout, 'none')}), {code: 'OCI_PATH_UNUSABLE', message: /there is none/});
	await t.throwsAsync(openImage({image: `folder:${join(layout, 'plain')}`}), {code: 'OCI_PATH_UNUSABLE'});
	await t.throwsAsync(openImage({image: `oci:${join(layout, 'plain')}`, cache: join(layout, 'c')}), {
		code: 'OCI_PATH_UNUSABLE',
	});
});

test('of several images one has to be named', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const layout = await writeLayout(join(folder, 'l'), {v1: image(), v2: image({layers: [system]})});
	await t.throwsAsync(openImage({image: `oci:${layout}`, cache}), {code: 'OCI_IMAGE_AMBIGUOUS', message: /v1, v2/});
	await t.throwsAsync(openImage({image: `oci:${layout}#v3`, cache}), {code: 'OCI_IMAGE_UNKNOWN', message: /v1, v2/});
	const [one, two] = [
		await openImage({image: `oci:${layout}#v1`, cache, freeBytes}),
		await openImage({image: `oci:${layout}#v2`, cache, freeBytes}),
	];
	t.not(root(t, one).digest, root(t, two).digest);
});

test('docker save of its later versions names images by all of their names, and one is found by what a person writes', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const images = {'docker.io/library/app:v1': image(), 'docker.io/team/app:v1': image({layers: [system]})};
	const files = layoutFiles(images);
	const manifests = Object.entries(images).map(
		([
			name,
			{
				manifest: {mediaType, digest, size},
			},
		]) => ({
			...{mediaType, digest, size},
			annotations: {'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': 'v1'},
		}),
	);
	files.set('index.json', Buffer.from(JSON.stringify({schemaVersion: 2, manifests})));
	files.set('manifest.json', Buffer.from('[]'));
	const path = join(folder, 'saved.tar');
	await writeFile(path, makeTar([...files].map(([name, data]) => ({path: name, data}))));
	const open = (name: string) => openImage({image: `${path}#${name}`, cache, freeBytes});
	for (const [name, {manifest}] of Object.entries(images)) t.is(root(t, await open(name)).digest, manifest.digest);
	t.is(root(t, await open('app:v1')).digest, images['docker.io/library/app:v1'].manifest.digest);
	t.is(root(t, await open('team/app:v1')).digest, images['docker.io/team/app:v1'].manifest.digest);
	await t.throwsAsync(open('v1'), {code: 'OCI_IMAGE_AMBIGUOUS', message: /library\/app:v1, docker\.io\/team\/app:v1/});
	await t.throwsAsync(open('App'), {code: 'OCI_IMAGE_UNKNOWN', message: /team\/app:v1/});
});

test('a part of the cache that is damaged or gone is had once more', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const parts = image();
	const layout = await writeLayout(join(folder, 'l'), {v1: parts});
	const open = (free: number) => openImage({image: `oci:${layout}`, cache, freeBytes: free});
	await open(freeBytes);
	const [layer] = parts.layers;
	const path = join(cache, 'sha256', layer?.digest.slice(7) ?? '');
	// A host that lost its power may have a file of the right length, and zeros in it.
	for (const damage of [() => writeFile(path, Buffer.alloc(layer?.size ?? 0)), () => rm(path)]) {
		await damage();
		t.is(root(t, await open(freeBytes * 2)).digest, parts.manifest.digest);
		t.true((await readFile(path)).equals(layer?.bytes as Buffer));
		for (const each of await readdir(join(cache, 'roots'))) await rm(join(cache, 'roots', each));
	}
	// Where it cannot be had again, it is said.
	await loadImage(`oci:${layout}`, 'app', {cache});
	await rm(path);
	await t.throwsAsync(openImage({image: 'app', cache, freeBytes, pull: 'never'}), {code: 'OCI_IMAGE_UNKNOWN'});
	await rm(join(layout, 'blobs/sha256', layer?.digest.slice(7) ?? ''));
	await t.throwsAsync(open(freeBytes), {code: 'OCI_BLOB_MISSING'});
});

test('a name of which a host has lost the bytes is none, and the others stay', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const layout = await writeLayout(join(folder, 'l'), {v1: image()});
	await loadImage(`oci:${layout}`, 'app', {cache});
	await loadImage(`oci:${layout}`, 'other', {cache});
	const names = await readdir(join(cache, 'names'));
	const texts = await Promise.all(names.map((each) => readFile(join(cache, 'names', each), 'utf8')));
	const lost = names[texts.findIndex((text) => text.includes('library/app'))] ?? '';
	for (const text of ['', '\0\0', '{}', '{"digest": 7}', texts[0]?.slice(0, 40) ?? '']) {
		await writeFile(join(cache, 'names', lost), text);
		t.true((await listImages({cache})).some(({name}) => name.includes('library/other')));
		await t.throwsAsync(inspectImage('app', {cache}), {code: 'OCI_IMAGE_UNKNOWN'});
		await t.notThrowsAsync(pruneImages({cache}));
	}
});

test('what the host says of a file or of the cache is told with what it is about', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	// It is a plain file, which nobody reads from its beginning.
	for (const prefix of ['tar', 'archive'])
		await t.throwsAsync(openImage({image: `${prefix}:/proc/self/mem`, cache}), {
			code: 'OCI_PATH_UNUSABLE',
			message: /EIO/,
		});
	const layout = await writeLayout(join(folder, 'l'), {v1: image()});
	await loadImage(`oci:${layout}`, 'app', {cache});
	for (const name of await readdir(join(cache, 'names'))) {
		await rm(join(cache, 'names', name));
		await mkdir(join(cache, 'names', name));
	}
	await t.throwsAsync(loadImage(`oci:${layout}`, 'app', {cache}), {code: 'OCI_CACHE_FAILED', message: /EISDIR/});
	await t.throwsAsync(openImage({image: 'app', cache}), {code: 'OCI_CACHE_FAILED', message: /EISDIR/});
});

/** A user has mounts of his own where he is root among users of his own. */
const mayMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0;
const withMounts = mayMount ? test : test.skip;

withMounts('a cache without room says so, and keeps nothing that is half', async (t) => {
	const folder = await folderOf(t);
	const script = 'mount -t tmpfs -o size=8m none "$1" && mkdir -m 700 "$1/cache" && echo there && exec sleep 1000';
	const child = spawn('unshare', ['-rm', 'sh', '-c', script, 'sh', folder], {stdio: ['ignore', 'pipe', 'ignore']});
	t.teardown(() => child.kill());
	await once(child.stdout, 'data');
	const cache = `/proc/${child.pid}/root${folder}/cache`;
	const left = async () => [...(await readdir(join(cache, 'partial'))), ...(await readdir(join(cache, 'roots')))];
	const layoutOf = (megabytes: number) =>
		writeLayout(join(folder, `${megabytes}`), {
			v1: makeImage({layers: [[{path: 'a', data: randomBytes(megabytes * 2 ** 20)}]]}),
		});
	const open = async (megabytes: number) => openImage({image: `oci:${await layoutOf(megabytes)}`, cache, freeBytes: 0});
	await t.throwsAsync(open(12), {code: 'OCI_ROOM_MISSING', message: /needs 12\d+B in/});
	await t.throwsAsync(open(5), {code: 'OCI_ROOM_MISSING', message: /needs more in/});
	t.deepEqual(await left(), []);
	await t.throwsAsync(writeFile(join(cache, 'filler'), Buffer.alloc(2 ** 23)), {code: 'ENOSPC'});
	await t.throwsAsync(loadImage(`oci:${await layoutOf(0)}`, 'app', {cache}), {
		code: 'OCI_CACHE_FAILED',
		message: /ENOSPC/,
	});
	t.deepEqual(await left(), []);
	await rm(join(cache, 'filler'));
	t.is((await open(0)).kind, 'root');
});

const damages: readonly (readonly [what: string, path: RegExp, change: (bytes: Buffer) => Buffer, code: string])[] = [
	['a layer has other bytes', /layer/, (bytes) => Buffer.from(bytes).fill(7, 20, 30), 'OCI_BLOB_DAMAGED'],
	['a layer is longer', /layer/, (bytes) => Buffer.concat([bytes, bytes]), 'OCI_BLOB_DAMAGED'],
	['a layer is shorter', /layer/, (bytes) => bytes.subarray(1), 'OCI_BLOB_DAMAGED'],
	['the manifest is another one', /manifest/, () => Buffer.from('{}'), 'OCI_BLOB_DAMAGED'],
	['the configuration is another one', /config/, () => Buffer.from('{}'), 'OCI_BLOB_DAMAGED'],
];
for (const [what, which, change, code] of damages)
	test(`an image is not used of which ${what}`, async (t) => {
		const folder = await folderOf(t);
		const parts = image();
		const blob = [...parts.blobs.values()].find(({mediaType}) => which.test(mediaType));
		const layout = await writeLayout(join(folder, 'l'), {v1: parts});
		await writeFile(join(layout, `blobs/${blob?.digest.replace(':', '/')}`), change(blob?.bytes as Buffer));
		const cache = join(folder, 'cache');
		const opening = openImage({image: `oci:${layout}`, cache, freeBytes});
		await t.throwsAsync(opening, {code});
		t.deepEqual(await readdir(join(cache, 'roots')), []);
		t.deepEqual(await readdir(join(cache, 'partial')), []);
	});

test('parts that are links or pipes are not opened', async (t) => {
	const folder = await folderOf(t);
	const parts = image();
	const layout = await writeLayout(join(folder, 'l'), {v1: parts});
	const path = join(layout, `blobs/${parts.config.digest.replace(':', '/')}`);
	await rm(path);
	await symlink('/dev/zero', path);
	await t.throwsAsync(openImage({image: `oci:${layout}`, cache: join(folder, 'cache')}), {
		code: 'OCI_PATH_UNUSABLE',
		message: /link/,
	});
});

test('what an image says of its layers has to be true of what they become', async (t) => {
	const folder = await folderOf(t);
	const wrong = image({
		fields: {rootfs: {type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`, `sha256:${'1'.repeat(64)}`]}},
	});
	const layout = await writeLayout(join(folder, 'l'), {v1: wrong});
	const cache = join(folder, 'cache');
	await t.throwsAsync(openImage({image: `oci:${layout}`, cache, freeBytes}), {
		code: 'OCI_LAYER_DAMAGED',
		message: /decompressed/,
	});
	const fewer = image({fields: {rootfs: {type: 'layers', diff_ids: []}}});
	const other = await writeLayout(join(folder, 'm'), {v1: fewer});
	await t.throwsAsync(openImage({image: `oci:${other}`, cache, freeBytes}), {
		code: 'OCI_JSON_INVALID',
		message: /0 layers/,
	});
});

test('names come and go, with all that is theirs alone', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const layout = await writeLayout(join(folder, 'l'), {v1: image(), v2: image({layers: [system]})});
	const loaded = await loadImage(`oci:${layout}#v1`, 'team/app:v1', {cache});
	t.is(loaded.name, 'docker.io/team/app:v1');
	await loadImage(`oci:${layout}#v2`, 'localhost:5000/app', {cache});
	await Promise.all([1, 2].map((each) => removeImage(`oci:${layout}#v${each}`, {cache})));
	const opened = root(t, await openImage({image: 'team/app:v1', cache, freeBytes, pull: 'never'}));
	t.is(opened.digest, loaded.digest);
	t.deepEqual(
		(await listImages({cache})).map(({name}) => name),
		['docker.io/team/app:v1', 'localhost:5000/app:latest'],
	);
	t.deepEqual((await inspectImage('team/app:v1', {cache})).layers.length, 2);
	const removed = await removeImage('team/app:v1', {cache});
	t.true(removed.files >= 4, 'a root, a manifest, a configuration and a layer that the other does not have');
	await t.throwsAsync(openImage({image: 'team/app:v1', cache, pull: 'never'}), {code: 'OCI_IMAGE_UNKNOWN'});
	await t.throwsAsync(stat(opened.path), {code: 'ENOENT'});
	t.is(root(t, await openImage({image: 'localhost:5000/app', cache, freeBytes, pull: 'never'})).kind, 'root');
	await t.throwsAsync(removeImage('team/app:v1', {cache}), {code: 'OCI_IMAGE_UNKNOWN'});
});

test('files that are left where their removal is given up are for the next one to take', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const layout = await writeLayout(join(folder, 'l'), {v1: image()});
	const opened = root(t, await openImage({image: `oci:${layout}`, cache, freeBytes}));
	const asked = new AbortController();
	const told: [number, number][] = [];
	const progress = (done: number, total: number) => {
		told.push([done, total]);
		asked.abort(new Error('enough'));
	};
	const operation = {signal: asked.signal, progress};
	const [{name = ''} = {}] = await listImages({cache});
	const removed = await removeImage(name, {cache}, operation);
	t.is(removed.files, 1);
	t.true(removed.left >= 1);
	t.deepEqual(told, [[removed.bytes, told[0]?.[1]]]);
	t.true(removed.bytes < (told[0]?.[1] ?? 0));
	t.deepEqual(await listImages({cache}), []);
	await t.throwsAsync(pruneImages({cache}, operation), {code: 'OPERATION_ABORTED'});
	const old = new Date(Date.now() - 48 * 3600 * 1000);
	for (const path of [opened.path, ...(await blobsOf(cache))]) await utimes(path, old, old).catch(() => {});
	t.like(await pruneImages({cache}), {files: removed.left, left: 0});
});

const blobsOf = async (cache: string) =>
	(await readdir(join(cache, 'sha256'))).map((name) => join(cache, 'sha256', name));

test('what no name stands for is taken away when nobody has used it for a while', async (t) => {
	const folder = await folderOf(t);
	const [source, cache] = [join(folder, 'root'), join(folder, 'cache')];
	await mkdir(source);
	const copy = root(t, await openImage({image: source, cache, freeBytes}));
	const layout = await writeLayout(join(folder, 'l'), {v1: image()});
	const kept = root(t, await openImage({image: `oci:${layout}`, cache, freeBytes}));
	const stray = join(cache, 'sha256', 'f'.repeat(64));
	await writeFile(stray, 'stray');
	t.is((await pruneImages({cache})).files, 0);
	const age = async (hours: number) => {
		const old = new Date(Date.now() - hours * 3600 * 1000);
		for (const path of [copy.path, kept.path, stray]) await utimes(path, old, old).catch(() => {});
	};
	await age(1);
	t.is((await pruneImages({cache})).files, 1, 'the stray part alone');
	await t.throwsAsync(lstat(stray), {code: 'ENOENT'});
	await age(48);
	t.is((await pruneImages({cache})).files, 1, 'the copy of the folder');
	await t.throwsAsync(lstat(copy.path), {code: 'ENOENT'});
	await t.notThrowsAsync(lstat(kept.path));
});

test('work that is given up leaves nothing behind', async (t) => {
	const folder = await folderOf(t);
	const cache = join(folder, 'cache');
	const layout = await writeLayout(join(folder, 'l'), {v1: image()});
	for (const when of ['download', 'unpack', 'write']) {
		const ending = new AbortController();
		const opening = openImage(
			{image: `oci:${layout}`, cache, freeBytes},
			{signal: ending.signal, progress: (step) => step === when && ending.abort(new Error('enough'))},
		);
		await t.throwsAsync(opening, {code: 'OPERATION_ABORTED'}, when);
		t.deepEqual(await readdir(join(cache, 'partial')), [], when);
		t.deepEqual(await readdir(join(cache, 'roots')), [], when);
	}
});

test('a cache that others may write to is not used, and one that cannot be written says so', async (t) => {
	const folder = await folderOf(t);
	const layout = await writeLayout(join(folder, 'l'), {v1: image()});
	await mkdir(join(folder, 'cache'));
	await chmod(join(folder, 'cache'), 0o777);
	await t.throwsAsync(openImage({image: `oci:${layout}`, cache: join(folder, 'cache')}), {code: 'OCI_CACHE_UNSAFE'});
	await t.throwsAsync(openImage({image: `oci:${layout}`, cache: '/dev/null/x'}), {code: 'OCI_CACHE_UNSAFE'});
});

const indexType = 'application/vnd.oci.image.index.v1+json';
const other = makeBlob('application/vnd.oci.image.manifest.v1+json', '{}');
const entry = (architecture: string, variant?: string, os = 'linux') => ({
	...{mediaType: other.mediaType, digest: other.digest, size: 2},
	platform: {os, architecture, ...(variant && {variant})},
});
const tops: readonly (readonly [what: string, top: (image: MadeParts) => object | string, code: string | undefined])[] =
	[
		[
			'is for several platforms',
			({manifest: {mediaType, digest, size}}) => ({
				schemaVersion: 2,
				mediaType: indexType,
				manifests: [
					entry('arm64'),
					entry('amd64', 'v3'),
					{mediaType, digest, size, platform: {os: 'linux', architecture: 'amd64'}},
					entry('unknown', undefined, 'unknown'),
				],
			}),
			undefined,
		],
		[
			'has one image that does not say for what',
			({manifest: {mediaType, digest, size}}) => ({schemaVersion: 2, manifests: [{mediaType, digest, size}]}),
			undefined,
		],
		[
			'is for other machines',
			() => ({schemaVersion: 2, manifests: [entry('arm64'), entry('s390x')]}),
			'OCI_PLATFORM_MISSING',
		],
		[
			'is for another system',
			() => ({schemaVersion: 2, manifests: [entry('amd64', undefined, 'windows')]}),
			'OCI_PLATFORM_MISSING',
		],
		['has nothing', () => ({schemaVersion: 2, manifests: []}), 'OCI_PLATFORM_MISSING'],
		[
			'is an index and a manifest',
			({manifest}) => ({...JSON.parse(manifest.bytes.toString()), mediaType: undefined, manifests: []}),
			'OCI_JSON_INVALID',
		],
		['is of the first version', () => ({schemaVersion: 1, manifests: []}), 'OCI_UNSUPPORTED'],
		[
			'says that it is something else',
			() => ({schemaVersion: 2, mediaType: 'text/html', manifests: []}),
			'OCI_JSON_INVALID',
		],
		['is no JSON', () => '<html>', 'OCI_JSON_INVALID'],
		['is a list', () => '[]', 'OCI_JSON_INVALID'],
		[
			'has a size that is no number',
			({manifest: {mediaType, digest}}) => ({schemaVersion: 2, manifests: [{mediaType, digest, size: -1}]}),
			'OCI_JSON_INVALID',
		],
		[
			'has another checksum',
			({manifest: {mediaType, size}}) => ({
				schemaVersion: 2,
				manifests: [{mediaType, digest: `sha384:${'a'.repeat(96)}`, size}],
			}),
			'OCI_JSON_INVALID',
		],
		[
			'has a path for a checksum',
			({manifest: {mediaType, size}}) => ({
				schemaVersion: 2,
				manifests: [{mediaType, digest: 'sha256:../../../etc/passwd', size}],
			}),
			'OCI_JSON_INVALID',
		],
		[
			'is of a huge manifest',
			({manifest: {mediaType, digest}}) => ({schemaVersion: 2, manifests: [{mediaType, digest, size: 2 ** 40}]}),
			'OCI_JSON_INVALID',
		],
		[
			'has too many',
			() => ({schemaVersion: 2, manifests: Array.from({length: 2000}, () => entry('arm64'))}),
			'OCI_TOO_LARGE',
		],
	];
for (const [what, make, code] of tops)
	test(`an index that ${what} is ${code ?? 'used'}`, async (t) => {
		const folder = await folderOf(t);
		const parts = image();
		const made = make(parts);
		const top = makeBlob(indexType, made);
		const blobs = new Map([...parts.blobs, [top.digest, top]]);
		const layout = await writeLayout(join(folder, 'l'), {v1: {...parts, manifest: top, blobs}});
		const opening = openImage({image: `oci:${layout}`, cache: join(folder, 'cache'), freeBytes});
		if (code === undefined) t.is(root(t, await opening).digest, parts.manifest.digest);
		else await t.throwsAsync(opening, {code});
	});

test('indexes within indexes are followed to a bound, and one that would be in itself cannot be', async (t) => {
	const folder = await folderOf(t);
	const parts = image();
	const nested = (depth: number) => {
		let top = parts.manifest;
		const blobs = new Map(parts.blobs);
		for (let level = 0; level < depth; level++) {
			const {mediaType, digest, size} = top;
			top = makeBlob(indexType, {
				schemaVersion: 2,
				manifests: [{mediaType, digest, size}],
				annotations: {level: `${level}`},
			});
			blobs.set(top.digest, top);
		}
		return {...parts, manifest: top, blobs};
	};
	const opening = async (depth: number) => {
		const layout = await writeLayout(join(folder, `l${depth}`), {v1: nested(depth)});
		return openImage({image: `oci:${layout}`, cache: join(folder, 'cache'), freeBytes});
	};
	t.is(root(t, await opening(2)).digest, parts.manifest.digest);
	await t.throwsAsync(opening(3), {code: 'OCI_JSON_INVALID', message: /indexes lie within/});
});

const configs: readonly (readonly [what: string, extra: object, code: string])[] = [
	['is for another processor', {fields: {architecture: 'arm64'}}, 'OCI_PLATFORM_MISSING'],
	['has a variable without a name', {config: {Env: ['=x']}}, 'OCI_JSON_INVALID'],
	['has a zero in a word', {config: {Cmd: ['a\0b']}}, 'OCI_JSON_INVALID'],
	['has a word that is none', {config: {Cmd: 'sh'}}, 'OCI_JSON_INVALID'],
	['has a folder that is relative', {config: {WorkingDir: 'etc'}}, 'OCI_JSON_INVALID'],
	['has a port that is none', {config: {ExposedPorts: {'70000/tcp': {}}}}, 'OCI_JSON_INVALID'],
	['has a signal that is none', {config: {StopSignal: 'SIG; rm'}}, 'OCI_JSON_INVALID'],
	['has too many words', {config: {Cmd: Array.from({length: 5000}, () => 'x')}}, 'OCI_TOO_LARGE'],
];
for (const [what, extra, code] of configs)
	test(`an image is refused whose configuration ${what}`, async (t) => {
		const folder = await folderOf(t);
		const layout = await writeLayout(join(folder, 'l'), {v1: image(extra)});
		await t.throwsAsync(openImage({image: `oci:${layout}`, cache: join(folder, 'cache')}), {code});
	});

const wrongArchives: readonly (readonly [what: string, members: readonly MadeMember[], code: VmmErrorCode])[] = [
	['has neither', [{path: 'x'}], 'OCI_ARCHIVE_INVALID'],
	['has a part under another checksum', [{path: `blobs/sha256/${'a'.repeat(64)}`, data: 'x'}], 'OCI_BLOB_DAMAGED'],
	[
		'names a part that it does not have',
		[{path: 'manifest.json', data: '[{"Config": "../../etc/passwd", "Layers": []}]'}],
		'OCI_BLOB_MISSING',
	],
	[
		'has links in circles',
		[
			{path: 'a.json', type: '2', target: 'b.json'},
			{path: 'b.json', type: '2', target: 'a.json'},
			{path: 'manifest.json', data: '[{"Config": "a.json", "Layers": []}]'},
		],
		'OCI_BLOB_MISSING',
	],
	['is no list', [{path: 'manifest.json', data: '{"a": [}'}], 'OCI_JSON_INVALID'],
	['has a list that is too long', [{path: 'manifest.json', data: Buffer.alloc(5 * 2 ** 20, ' ')}], 'OCI_TOO_LARGE'],
	[
		'is of another layout',
		[
			{path: 'oci-layout', data: '{"imageLayoutVersion": "2.0.0"}'},
			{path: 'index.json', data: '{}'},
		],
		'OCI_UNSUPPORTED',
	],
];
for (const [what, members, code] of wrongArchives)
	test(`an archive of images is refused that ${what}`, async (t) => {
		const folder = await folderOf(t);
		const path = join(folder, 'a.tar');
		await writeFile(path, makeTar(members));
		const cache = join(folder, 'cache');
		const error = await t.throwsAsync(openImage({image: `archive:${path}`, cache}));
		t.true(isVmmError(error, code), `${error}`);
		t.deepEqual(await readdir(join(cache, 'partial')), []);
	});

test('an archive that is a bomb ends long before all of it has come', async (t) => {
	const folder = await folderOf(t);
	const zeros = zstdCompressSync(Buffer.alloc(2 ** 24));
	const [path, cache] = [join(folder, 'a.tar.zst'), join(folder, 'cache')];
	const header = makeTar([{path: 'x.tar', size: 2 ** 33}]).subarray(0, 512);
	await writeFile(path, Buffer.concat([zstdCompressSync(header), ...Array.from({length: 6}, () => zeros)]));
	await t.throwsAsync(openImage({image: `archive:${path}`, cache}), {code: 'OCI_ARCHIVE_BOMB'});
	t.deepEqual(await readdir(join(cache, 'partial')), []);
});
