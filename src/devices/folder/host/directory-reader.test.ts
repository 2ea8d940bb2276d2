import {mkdtempSync, rmSync, unlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type DirectoryEntry, folderDefaults, rootNode} from '#devices/folder';
import {openHostFolder} from './index.ts';

function sharedFolder(t: ExecutionContext, files: number) {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-names-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	for (let file = 0; file < files; file++) writeFileSync(join(path, `file-${file}`), '');
	const folder = openHostFolder(path, folderDefaults);
	t.teardown(() => folder.close());
	const handle = folder.openDirectory(rootNode) as number;
	const list = (cookie: bigint, most: number) =>
		folder.readDirectory(handle, cookie, most) as readonly DirectoryEntry[];
	return {path, list};
}

test('names that stay are listed once each, while others come and go', (t) => {
	const {path, list} = sharedFolder(t, 1500);
	const listed: string[] = [];
	let cookie = 0n;
	for (let round = 0; ; round++) {
		const entries = list(cookie, 7);
		if (entries.length === 0) break;
		listed.push(...entries.map(({name}) => name));
		cookie = entries.at(-1)?.cookie as bigint;
		// One that has been listed, one that may have been, and a new one.
		const [last] = listed.slice(-1) as [string];
		if (round % 3 === 0 && last.startsWith('file-')) unlinkSync(join(path, last));
		if (round < 100) writeFileSync(join(path, `new-${round}`), '');
	}
	const old = listed.filter((name) => name.startsWith('file-'));
	t.deepEqual([old.length, new Set(old).size], [1500, 1500]);
	const others = listed.filter((name) => !name.startsWith('file-'));
	t.is(new Set(others).size, others.length);
	t.deepEqual(list(cookie, 7), [], 'the end is the end');
});

test('a directory is listed from any of its places again', (t) => {
	const {list} = sharedFolder(t, 1500);
	const all: DirectoryEntry[] = [];
	for (let cookie = 0n; ; cookie = all.at(-1)?.cookie as bigint) {
		const entries = list(cookie, 100);
		if (entries.length === 0) break;
		all.push(...entries);
	}
	t.is(all.length, 1502);
	for (const at of [1400, 3, 700, 701, 0, 1501]) {
		const {cookie} = all[at] as DirectoryEntry;
		t.deepEqual(
			list(cookie, 5).map(({name}) => name),
			all.slice(at + 1, at + 6).map(({name}) => name),
			`behind ${at}`,
		);
	}
	t.is(list(0n, 2).length, 2);
	t.true(Array.isArray(list(2n ** 63n, 5)), 'a place that there is not is no fault');
});
