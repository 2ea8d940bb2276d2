// A client that asks for anything at any time, of folders that are objects.
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import * as nodeFiles from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {FolderObject} from '#devices/folder/object';
import {calledObject} from '#devices/folder/object/testing';
import {FsDriver, named, Opcode, Rename2In, WildClient} from '#devices/virtio/fs/testing';
import {folderAt} from './folder-at.ts';
import {MemoryFolder} from './memory-folder.ts';
import {overlayFolder} from './overlay-folder.ts';

const [rounds, steps, bursts] = [6, 300, 60];

/** What is shared, and a look at what else there is. */
interface Fuzzed {
	readonly object: FolderObject;
	/** Has the files there that it began with. */
	refresh?(): void;
	look(): void;
}

/** A directory with links that lead out of it, by objects over it. */
function directory(t: ExecutionContext, objectAt: (path: string) => FolderObject): () => Fuzzed {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-folder-fuzz-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const [inside, outside] = [join(folder, 'inside'), join(folder, 'outside')];
	mkdirSync(join(outside, 'sub'), {recursive: true});
	for (const path of ['file', 'sub/file']) writeFileSync(join(outside, path), 'secret');
	const seen = () =>
		['.', 'file', 'sub', 'sub/file'].map((path) => {
			const {mode, uid, gid, nlink, size, mtimeMs} = statSync(join(outside, path));
			return {path, mode, uid, gid, nlink, size, mtimeMs};
		});
	const before = seen();
	mkdirSync(inside);
	const refresh = () => {
		for (const name of readdirSync(inside)) rmSync(join(inside, name), {recursive: true, force: true});
		mkdirSync(join(inside, 'sub'));
		for (const path of ['file', 'sub/file']) writeFileSync(join(inside, path), 'content');
		for (const [name, target] of [
			['out', outside],
			['link', '../outside/file'],
			['nowhere', '../outside/new'],
			['sub/a', '../../outside/sub'],
		] as const)
			symlinkSync(target, join(inside, name));
	};
	return () => {
		chmodSync(inside, 0o755);
		refresh();
		const look = () => {
			chmodSync(inside, 0o755);
			t.deepEqual(seen(), before);
			t.deepEqual(readdirSync(outside).sort(), ['file', 'sub']);
			t.deepEqual(readdirSync(join(outside, 'sub')), ['file']);
			for (const path of ['file', 'sub/file']) t.is(readFileSync(join(outside, path), 'utf8'), 'secret');
			t.deepEqual(readdirSync(folder).sort(), ['inside', 'outside']);
		};
		return {object: objectAt(inside), refresh, look};
	};
}

/** Puts a link where a directory was. */
const swap = [
	{
		opcode: Opcode.RENAME2,
		node: 1,
		body: Buffer.concat([Rename2In.encode({newdir: 1}), named('sub'), named('away')]),
	},
	{opcode: Opcode.SYMLINK, node: 1, body: Buffer.concat([named('sub'), named('../outside/sub')])},
];

const mostBytes = 2 ** 20;
const inMemory = () => {
	const object = new MemoryFolder({mostBytes, mostFiles: 40});
	object.put('file', 'content');
	object.put('sub/', '');
	object.symlink('/etc', '/out');
	object.symlink('../outside/file', '/link');
	return object;
};

const folders: Readonly<Record<string, (t: ExecutionContext) => () => Fuzzed>> = {
	'files in memory': (t) => () => {
		const object = inMemory();
		const look = () => {
			const {bfree, ffree} = object.statfs();
			t.true(Number(bfree) >= 0 && Number(ffree) >= 0, 'it keeps to its bounds');
		};
		return {object, look};
	},
	'an overlay over files in memory': () => () => ({object: overlayFolder(inMemory()), look: () => {}}),
	'node:fs/promises': (t) => directory(t, (path) => folderAt(nodeFiles, path)),
	'node:fs/promises, files whole': (t) =>
		directory(t, (path) => ({...folderAt(nodeFiles, path), open: undefined as never})),
};

for (const [index, [what, make]] of Object.entries(folders).entries())
	test(`a client that asks for anything at any time gets no further than its folder: ${what}`, async (t) => {
		t.timeout(240_000);
		const client = new WildClient(41 + index);
		const next = make(t);
		for (let round = 0; round < rounds; round++) {
			const {object, refresh, look} = next();
			const {folder, close} = calledObject(object, {mostNodes: 50, mostHandles: 20});
			const guest = await FsDriver.over(folder);
			await client.ask(guest, steps);
			for (let burst = 0; burst < bursts; burst++) {
				refresh?.();
				// What it has open is closed now and then.
				if (burst % 10 === 0) {
					await guest.ask(Opcode.DESTROY, 0);
					await guest.init();
				}
				const known = [1, await guest.lookup(1, 'sub'), await guest.find('sub/file')];
				for (const name of ['file', 'a', 'link']) known.push(await guest.lookup(1, name));
				await client.burst(
					guest,
					known.filter((node) => node > 0),
					burst % 2 === 0 ? swap : [],
				);
			}
			await guest.machine.stop();
			t.deepEqual(guest.machine.failures, []);
			t.is(guest.machine.pins, 0);
			await guest.machine.dispose();
			close();
			look();
		}
		const {seen} = client;
		t.log(seen);
		t.true(seen.answers > 700 && seen.silent > 30 && seen.errors.has(0) && seen.errors.size > 8);
	});
