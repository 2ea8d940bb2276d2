// A guest that wants out of a folder whose methods follow links: those of node:fs/promises.
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import * as nodeFiles from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type Folder, isRefused, type Name, OpenFlag, rootNode} from '#devices/folder';
import type {FolderObject} from '#devices/folder/object';
import {calledObject} from '#devices/folder/object/testing';
import {folderAt} from './folder-at.ts';
import {FuseClient} from './testing/fuse-client.ts';
import {P9Files} from './testing/p9-files.ts';
import type {PosixClient, Ref} from './testing/posix-client.ts';

const clients = {'virtio-fs': FuseClient, '9P': P9Files};
const own = {uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0};

/** A folder to share, and beside it what its guest must not reach. */
interface Places {
	readonly inside: string;
	readonly outside: string;
	/** All that is to be seen of what is outside. */
	look(): unknown;
}

function placesOf(t: ExecutionContext): Places {
	const top = mkdtempSync(join(tmpdir(), 'openvmm-links-'));
	t.teardown(() => rmSync(top, {recursive: true, force: true}));
	const [inside, outside] = [join(top, 'inside'), join(top, 'outside')];
	for (const each of [inside, outside]) {
		mkdirSync(join(each, 'sub'), {recursive: true});
		writeFileSync(join(each, 'file'), each);
		for (const name of ['inner', 'held']) writeFileSync(join(each, 'sub', name), each);
	}
	const look = () =>
		['.', 'file', 'sub', 'sub/inner', 'sub/held'].map((name) => {
			const path = join(outside, name);
			const {mode, uid, gid, size, nlink, mtimeMs} = statSync(path);
			const content = /inner|held|file/.test(name) ? readFileSync(path, 'utf8') : readdirSync(path);
			return {name, mode, uid, gid, size, nlink, mtimeMs, content};
		});
	return {inside, outside, look};
}

/** `node:fs/promises` from a folder on, with files as they are opened, or whole. */
const objects: Readonly<Record<string, (path: string) => FolderObject>> = {
	'open files': (path) => folderAt(nodeFiles, path),
	'files whole': (path) => ({...folderAt(nodeFiles, path), open: undefined as never}),
};

function folderFor(t: ExecutionContext, object: FolderObject): Folder {
	const {folder, close} = calledObject(object);
	t.teardown(close);
	return folder;
}

async function clientOf(t: ExecutionContext, {over}: {over(folder: Folder): Promise<PosixClient>}, folder: Folder) {
	const client = await over(folder);
	t.teardown(() => client.dispose());
	return client;
}

async function found(client: PosixClient, ...names: readonly string[]): Promise<Ref> {
	let at = client.root;
	for (const name of names) {
		const next = await client.find(at, name);
		if (typeof next === 'string') throw new Error(`${name}: ${next}`);
		at = next;
	}
	return at;
}

const time = {seconds: 1000, nanoseconds: 0};
const someone = {uid: own.uid + 1, gid: own.gid + 1};

for (const [server, kind] of Object.entries(clients))
	for (const [how, objectAt] of Object.entries(objects)) {
		test(`${server}: a link a guest makes is itself to whatever it asks of it, with ${how}`, async (t) => {
			const {inside, outside, look} = placesOf(t);
			const before = look();
			const client = await clientOf(t, kind, folderFor(t, objectAt(inside)));
			for (const [name, target] of [
				['absolute', join(outside, 'file')],
				['climbing', '../outside/file'],
				['directory', '../outside/sub'],
				['nowhere', '../outside/new'],
				['nobody', '/proc/self/cwd'],
			] as const) {
				t.is(await client.makeLink(client.root, name, target), '0');
				const link = await found(client, name);
				t.is(await client.target(link), target);
				t.is(await client.change(link, {size: 0}), 'EINVAL', name);
				t.is(await client.change(link, {mode: 0o777}), 'ENOTSUP');
				// Whoever is not root gives nothing away.
				t.is(await client.change(link, someone), own.uid === 0 ? '0' : 'EPERM');
				t.is(await client.change(link, {accessed: time, modified: time}), '0');
				for (const access of [OpenFlag.READ, OpenFlag.WRITE, OpenFlag.WRITE | OpenFlag.TRUNCATE])
					t.is(await client.open(link, access), 'ELOOP');
				// 9P has one request for both.
				t.deepEqual(await client.names(link), [server === '9P' ? 'ELOOP' : 'ENOTDIR']);
				t.is(await client.create(client.root, name, OpenFlag.BOTH, 0o666), 'ELOOP');
				t.is(await client.create(client.root, name, OpenFlag.BOTH | OpenFlag.TRUNCATE, 0o666), 'ELOOP');
				t.is(await client.create(client.root, name, OpenFlag.BOTH | OpenFlag.EXCLUSIVE, 0o666), 'EEXIST');
				t.is(await client.makeDirectory(client.root, name, 0o755), 'EEXIST');
				t.is(await client.find(link, 'inner'), 'ENOTDIR');
				t.is(await client.create(link, 'made', OpenFlag.BOTH, 0o666), 'ENOTDIR');
				t.is(await client.link(link, client.root, `${name}-again`), '0');
				t.is(await client.target(await found(client, `${name}-again`)), target);
			}
			t.deepEqual(look(), before);
		});

		test(`${server}: where a directory or a file was, a link leads nowhere, with ${how}`, async (t) => {
			const {inside, outside, look} = placesOf(t);
			const client = await clientOf(t, kind, folderFor(t, objectAt(inside)));
			const {root} = client;
			const [sub, inner, file] = [
				await found(client, 'sub'),
				await found(client, 'sub', 'inner'),
				await found(client, 'file'),
			];
			const other = await found(client, 'sub', 'held');
			const held = await client.open(other, OpenFlag.BOTH);
			if (typeof held === 'string') throw new Error(held);
			for (const name of ['sub', 'file']) {
				renameSync(join(inside, name), join(inside, `was-${name}`));
				symlinkSync(join(outside, name), join(inside, name));
			}
			const before = look();
			const done = [
				await client.told(sub),
				await client.told(inner),
				await client.find(sub, 'inner'),
				(await client.names(sub)).join(),
				await client.target(inner),
				await client.makeDirectory(sub, 'made', 0o755),
				await client.makeNode(sub, 'made', 0o100644),
				await client.makeLink(sub, 'made', 'x'),
				await client.create(sub, 'made', OpenFlag.BOTH, 0o644),
				await client.create(sub, 'inner', OpenFlag.BOTH | OpenFlag.TRUNCATE, 0o644),
				await client.remove(sub, 'inner', false),
				await client.rename(sub, 'inner', root, 'stolen'),
				await client.rename(root, 'was-file', sub, 'inner'),
				await client.link(inner, root, 'stolen'),
				await client.link(await found(client, 'was-file'), sub, 'made'),
			];
			for (const each of [inner, file]) {
				done.push(
					await client.open(each, OpenFlag.READ),
					await client.open(each, OpenFlag.WRITE),
					await client.open(each, OpenFlag.READ | OpenFlag.TRUNCATE),
					await client.change(each, {size: 0}),
					await client.change(each, {mode: 0o777}),
					await client.change(each, someone),
					await client.change(each, {accessed: time, modified: time}),
				);
			}
			for (const [index, answer] of done.entries()) t.regex(`${JSON.stringify(answer)}`, /^"E[A-Z]+"$/, `${index}`);
			t.deepEqual(look(), before);
			// What is open is what was opened, and what is written whole has no place.
			t.is(await client.write(held, 0, 'HELD'), '0');
			await client.close(other, held);
			t.deepEqual(look(), before);
			if (how === 'open files') t.is(readFileSync(join(inside, 'was-sub/held'), 'utf8').slice(0, 4), 'HELD');
		});
	}

test('a guest that asks for many things at once puts no link in between', async (t) => {
	const {inside, outside, look} = placesOf(t);
	const before = look();
	const folder = folderFor(t, folderAt(nodeFiles, inside));
	const name = (text: string) => text as Name;
	const entry = async (parent: number, text: string): Promise<number> => {
		const given = await folder.lookup(parent, name(text));
		if (typeof given === 'number') throw new Error(`${text}: ${given}`);
		return given.node;
	};
	let links = 0;
	for (let round = 0; round < 100; round++) {
		const sub = await entry(rootNode, 'sub');
		const inner = await entry(sub, 'inner');
		const [, , , linked] = await Promise.all([
			folder.setAttributes(inner, {size: 0}),
			folder.create(sub, name(`made-${round}`), OpenFlag.BOTH, 0o644, own),
			folder.rename(rootNode, name('sub'), rootNode, name('away'), 0),
			folder.makeLink(rootNode, name('sub'), Buffer.from(join(outside, 'sub')), own),
			folder.setAttributes(inner, {mode: 0o777}),
			folder.makeDirectory(sub, name(`directory-${round}`), 0o755, own),
			folder.setAttributes(inner, {size: 1}),
			folder.link(inner, rootNode, name(`link-${round}`)),
			folder.create(sub, name(`also-${round}`), OpenFlag.BOTH, 0o644, own),
		]);
		if (isRefused(linked)) throw new Error(`${linked}`);
		links++;
		await folder.unlink(rootNode, name('sub'));
		await folder.rename(rootNode, name('away'), rootNode, name('sub'), 0);
	}
	t.is(links, 100);
	t.deepEqual(look(), before);
});

test('a file that is written whole is written where it is by then, and nowhere when it is gone', async (t) => {
	const {inside, outside, look} = placesOf(t);
	const before = look();
	const client = await clientOf(t, FuseClient, folderFor(t, objects['files whole']?.(inside) as FolderObject));
	const {root} = client;
	const open = async (file: Ref): Promise<Ref> => {
		const handle = await client.open(file, OpenFlag.BOTH);
		if (typeof handle === 'string') throw new Error(handle);
		return handle;
	};
	const [file, inner] = [await found(client, 'file'), await found(client, 'sub', 'inner')];
	const [first, second] = [await open(file), await open(inner)];
	for (const handle of [first, second]) t.is(await client.write(handle, 0, 'WROTE'), '0');
	t.is(await client.rename(root, 'file', root, 'moved'), '0');
	t.is(await client.rename(root, 'sub', root, 'elsewhere'), '0');
	for (const name of ['file', 'sub']) t.is(await client.makeLink(root, name, join(outside, name)), '0');
	await client.close(file, first);
	await client.close(inner, second);
	for (const path of ['moved', 'elsewhere/inner'])
		t.is(readFileSync(join(inside, path), 'utf8').slice(0, 5), 'WROTE', path);
	const third = await open(inner);
	t.is(await client.write(third, 0, 'AGAIN'), '0');
	t.is(await client.remove(await found(client, 'elsewhere'), 'inner', false), '0');
	await client.close(inner, third);
	t.deepEqual(readdirSync(join(inside, 'elsewhere')), ['held']);
	t.deepEqual(look(), before);
});
