import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {type Folder, folderDefaults} from '#devices/folder';
import {openHostFolder} from '#devices/folder/host';
import {calledObject} from '#devices/folder/object/testing';
import {ringEvent, ringIndirect, ringReset, seeded} from '#devices/virtio/testing';
import type {Message} from './message.ts';
import {Request} from './messages.ts';
import {P9Client, rootFid} from './testing/client.ts';

const [rounds, steps] = [40, 250];
/** Values that mean something as fids, counts, flags, modes or offsets. */
const words = [
	0,
	1,
	2,
	3,
	4,
	5,
	0o100,
	0o1000,
	0x200,
	255,
	4096,
	0x8000,
	0xffff,
	0o040755,
	0o100644,
	2 ** 31,
	2 ** 32 - 1,
];
const wide = [0, 1, 3, 4096, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63];
const names = [
	'a',
	'b',
	'c',
	'file',
	'link',
	'out',
	'..',
	'.',
	'',
	'a/b',
	'../secret',
	'/etc/passwd',
	'x'.repeat(256),
	'ü',
	'nul\0',
];
const messages: readonly Message[] = Object.values(Request) as unknown as readonly Message[];
/** What a client may break in memory: its rings. */
const rings = [0x1_0000, 0x4000] as const;

/** Folders that are attacked, each with a look at what is beside it. */
const folders: Readonly<Record<string, () => {folder: Folder; reset?(): void; intact(): boolean; end(): void}>> = {
	'a folder of the host'() {
		const top = mkdtempSync(join(tmpdir(), 'openvmm-9p-fuzz-'));
		const shared = join(top, 'shared');
		mkdirSync(join(shared, 'a/b'), {recursive: true});
		writeFileSync(join(shared, 'a/file'), 'content');
		writeFileSync(join(top, 'secret'), 'secret');
		symlinkSync('../secret', join(shared, 'link'));
		symlinkSync('..', join(shared, 'out'));
		return {
			folder: openHostFolder(shared, {...folderDefaults, mostNodes: 40, mostHandles: 12}),
			intact: () =>
				readFileSync(join(top, 'secret'), 'utf8') === 'secret' && readdirSync(top).sort().join() === 'secret,shared',
			end: () => rmSync(top, {recursive: true, force: true}),
		};
	},
	'an object'() {
		const asked: string[] = [];
		// A folder that says anything, of which the path is looked at.
		const below = seeded(77);
		const any = () =>
			[
				undefined,
				5,
				'x',
				{mode: 0o040755, size: 0},
				{mode: 0o100644, size: 7},
				['a', 'b'],
				['..'],
				{bytesRead: 3},
				null,
			][below(9)];
		const object = new Proxy(
			{},
			{
				get: (_target, method) => (path: unknown) => {
					if (method === 'then') return undefined;
					if (typeof path === 'string' && method !== 'symlink') asked.push(path);
					if (method === 'lstat' && path === '/') return {mode: 0o040755, size: 0};
					if (below(8) === 0) throw Object.assign(new Error('no'), {code: ['ENOENT', 'EIO', 'X', 5][below(4)]});
					if (method === 'open') return {read: any, write: any, stat: any, truncate: any, close: any};
					return any();
				},
			},
		);
		const {folder, close} = calledObject(object as never, {mostNodes: 40, mostHandles: 12});
		return {
			folder,
			intact: () => asked.every((path) => path.startsWith('/') && !path.split('/').some((name) => name === '..')),
			end: close,
		};
	},
};

for (const [what, make] of Object.entries(folders))
	test(`a client of ${what} that sends anything ends nothing but its own`, async (t) => {
		t.timeout(240_000);
		const below = seeded(what.length);
		const chance = (percent: number) => below(100) < percent;
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const seen = {done: 0, refused: new Set<string>(), fids: 0};
		for (let round = 0; round < rounds; round++) {
			const {folder, intact, end} = make();
			const client = await P9Client.start(folder, round % 2 === 0 ? 'pci' : 'mmio');
			const {machine} = client;
			const {registers, memory} = machine;
			/** Fids that there are, as far as it is known. */
			let live = new Set([rootFid]);
			/** A value that could be one, for a field of a message. */
			const anyOf = (item: {readonly kind: string}, key: string): unknown => {
				if (item.kind === 'name') return any(names);
				if (item.kind === 'names') return Array.from({length: below(3)}, () => any(names));
				if (item.kind === 'text') return key === 'version' ? '9P2000.L' : any(['', '/', 'a/file', 'root']);
				if (/^(fid|newFid|directory|oldDirectory|newDirectory)$/.test(key))
					return key !== 'newFid' && chance(90) ? any([...live]) : chance(90) ? below(12) : any(words);
				const size = (item as {readonly size?: number}).size ?? 4;
				const value = chance(85) ? below(5) : size === 8 ? any(wide) : any(words);
				return size === 1
					? value & 0xff
					: size === 2
						? value & 0xffff
						: size === 8
							? BigInt.asIntN(63, BigInt(value))
							: value;
			};
			const send = async () => {
				while (client.isBusy && isWhole()) await machine.run();
				if (!isWhole()) return;
				const message = chance(40)
					? any([Request.walk, Request.lopen, Request.lcreate, Request.readdir])
					: any(messages);
				if (message === Request.version && chance(80)) return;
				if ((message === Request.clunk || message === Request.remove) && chance(60)) return;
				const fields = Object.fromEntries(
					Object.entries(message.items).map(([key, item]) => [key, anyOf(item as {kind: string}, key)]),
				);
				const slot = client.send(message as unknown as Message, fields, {
					...(chance(20) && {tag: below(3)}),
					data: message === Request.write ? 'some bytes'.slice(below(10)) : chance(3) ? 'more' : '',
					...(chance(5) && {room: below(40)}),
					...(chance(3) && {size: any(words)}),
					...(chance(10) && {split: 30 + below(2000)}),
				});
				if (chance(30)) return;
				for (let look = 0; look < 20 && client.got(slot) === undefined; look++) await machine.run();
				const got = client.got(slot);
				if (got === undefined) return;
				if (got.error !== undefined) {
					seen.refused.add(got.error);
					return;
				}
				seen.done++;
				const {fid, newFid} = fields as {fid: number; newFid: number};
				if (message === Request.walk) live.add(newFid);
				if ((message === Request.clunk || message === Request.remove) && live.size > 1) live.delete(fid);
			};
			const begin = async () => {
				live = new Set([rootFid]);
				await client.begin(
					0,
					[ringIndirect, ringEvent, ringReset].filter(() => chance(50)),
				);
			};
			const isWhole = () => (registers.read('device_status') & 0x40) === 0;
			const reset = async () => {
				registers.write('device_status', 0);
				await client.until(() => registers.read('device_status') === 0);
				await begin();
			};
			await begin();
			const acts: readonly (() => void | Promise<void>)[] = [
				send,
				send,
				send,
				send,
				() => machine.run(),
				async () => void (!client.isBusy && (await client.attach(rootFid))),
				() => {
					if (chance(99)) return;
					memory.writeU16(rings[0] + (below(rings[1]) & ~1), any(words) & 0xffff);
				},
				async () => {
					if (chance(97)) return;
					await machine.stop();
					machine.start();
				},
				async () => {
					if (chance(97)) return;
					await reset();
				},
			];
			for (let step = 0; step < steps; step++) {
				if (!isWhole()) await reset();
				await any(acts)();
			}
			seen.fids = Math.max(seen.fids, client.state('fids'));
			t.true(client.state('fids') < 20);
			// It does its work for the next driver.
			await reset();
			t.is((await client.walk(rootFid, 1)).error, undefined, `round ${round}`);
			t.deepEqual(machine.failures, [], `round ${round}`);
			await machine.stop();
			await client.dispose();
			t.is(machine.pins, 0);
			t.true(intact(), `round ${round}`);
			end();
		}
		t.true(seen.done > 250 && seen.refused.size > 6 && seen.fids > 3, `${seen.done} ${[...seen.refused]} ${seen.fids}`);
	});
