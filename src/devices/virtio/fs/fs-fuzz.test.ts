import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {FolderOptions} from '#devices/folder';
import {Opcode} from './layout.ts';
import {FsDriver} from './testing/fs-driver.ts';
import {WildClient} from './testing/wild-client.ts';

const [rounds, steps] = [12, 300];
const windowBytes = 8 * 2 ** 20;

/** What a step of the guest has to do with afterwards. */
const isTree = (path: string): string[] => readdirSync(path).sort();

/** What of a folder this process has in its memory. */
function mappedOf(folder: string) {
	const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
	return lines.flatMap((line) => {
		const [, from = '', to = '', path] = /^([0-9a-f]+)-([0-9a-f]+) (?:\S+ +){4}(\/.*)$/.exec(line) ?? [];
		return path?.startsWith(folder) ? [{path, from: Number(`0x${from}`), to: Number(`0x${to}`)}] : [];
	});
}

async function wander(t: ExecutionContext, client: WildClient, options: Partial<FolderOptions>, window = 0) {
	t.timeout(240_000);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-fs-fuzz-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const [inside, outside] = [join(folder, 'inside'), join(folder, 'outside')];
	mkdirSync(outside);
	writeFileSync(join(outside, 'file'), 'secret');
	for (let round = 0; round < rounds; round++) {
		rmSync(inside, {recursive: true, force: true});
		mkdirSync(join(inside, 'sub'), {recursive: true});
		writeFileSync(join(inside, 'file'), 'content');
		symlinkSync(outside, join(inside, 'out'));
		symlinkSync(join(outside, 'file'), join(inside, 'link'));
		const bounds = {mostNodes: 50, mostHandles: 20};
		const guest = await FsDriver.start(inside, {...options, ...bounds}, 'pci', window);
		await guest.init();
		await client.ask(guest, window === 0 ? steps : 4 * steps, () => {
			const mapped = mappedOf(folder);
			t.true(mapped.length > 0);
			for (const {path} of mapped) t.true(path.startsWith(`${inside}/`), path);
			const [first, last] = [mapped[0]?.from ?? 0, mapped.at(-1)?.to ?? 0];
			t.true(last - first <= windowBytes, 'they lie in the window');
		});
		await guest.machine.stop();
		t.deepEqual(guest.machine.failures, []);
		t.is(guest.machine.pins, 0);
		await guest.machine.dispose();
		t.deepEqual(mappedOf(folder), []);
		t.deepEqual(isTree(outside), ['file']);
		t.is(readFileSync(join(outside, 'file'), 'utf8'), 'secret');
		t.deepEqual(isTree(folder), ['inside', 'outside']);
	}
	const {seen} = client;
	t.log(seen);
	t.true(seen.answers > 1000 && seen.silent > 50 && seen.errors.has(0) && seen.errors.size > 10);
	return seen;
}

for (const owner of ['host', 'mapped'] as const)
	test(`a client that asks for anything at any time gets no further than its folder, with owners of the ${owner}`, async (t) => {
		await wander(t, new WildClient(owner === 'host' ? 31 : 32), {owner, xattrs: true, locks: true});
	});

test('nor with files in its memory', async (t) => {
	const client = new WildClient(33, [Opcode.LOOKUP, Opcode.SETUPMAPPING, Opcode.SETUPMAPPING, Opcode.REMOVEMAPPING]);
	const {mapped} = await wander(t, client, {}, windowBytes);
	t.true(mapped > 20, `${mapped}`);
});
