import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {FolderOptions} from '#devices/folder';
import {close, Errno, lockFile, O, open} from '#support/ffi';
import {FlushIn, InterruptIn, LkIn, LkOut, Opcode} from './layout.ts';
import {FsDriver, releaseOf} from './testing/fs-driver.ts';

function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-locks-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

async function mounted(t: ExecutionContext, path: string, options: Partial<FolderOptions> = {}): Promise<FsDriver> {
	const guest = await FsDriver.mounted(path, options);
	t.teardown(() => guest.machine.dispose());
	return guest;
}

const [readLock, writeLock, noLock] = [0, 1, 2];
const toEnd = 2n ** 63n - 1n;
type Lock = Partial<Parameters<typeof LkIn.encode>[0]>;

/** A guest with a file, and locks of its. */
async function lockable(t: ExecutionContext, folder: string) {
	const guest = await mounted(t, folder, {locks: true});
	const node = await guest.lookup(1, 'file');
	const fh = await guest.open(node);
	const words = (lock: Lock) => LkIn.encode({fh, owner: 1n, start: 0n, end: toEnd, type: writeLock, ...lock});
	return {
		guest,
		fh,
		words,
		set: async (lock: Lock = {}) => (await guest.ask(Opcode.SETLK, node, words(lock))).error,
		get: async (lock: Lock = {}) => LkOut.read((await guest.ask(Opcode.GETLK, node, words(lock))).payload),
	};
}

test('locks of ranges are of their owners, within a machine and between two', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'text');
	const [one, other] = [await lockable(t, folder), await lockable(t, folder)];
	t.is(await one.set({start: 0n, end: 9n}), 0);
	t.is(await one.set({start: 5n, end: 20n}), 0, 'an owner is not in its own way');
	t.is(await one.set({owner: 2n, start: 3n, end: 3n}), -Errno.EAGAIN, 'two of one open file are');
	t.is(await other.set({start: 20n, end: 30n}), -Errno.EAGAIN);
	t.is(await other.set({start: 21n, end: 30n}), 0);
	t.like(await other.get({start: 0n, end: 100n}), {type: writeLock, start: 0n, end: 20n, pid: 0});
	t.like(await one.get({owner: 2n, start: 1000n, end: toEnd}), {type: noLock});
	t.is(await one.set({type: noLock, start: 0n, end: 4n}), 0);
	t.is(await other.set({type: readLock, start: 0n, end: 4n}), 0);
	t.is(await one.set({owner: 2n, type: readLock, start: 0n, end: 4n}), 0, 'readers share');
	const flush = FlushIn.encode({fh: one.fh, lock_owner: 1n});
	t.is((await one.guest.ask(Opcode.FLUSH, 0, flush)).error, 0);
	t.is(await other.set({start: 5n, end: 20n}), 0, 'who closes a file has no locks of it');
	for (const wrong of [{type: 3}, {start: 5n, end: 4n}, {end: 2n ** 63n}, {fh: 99}]) t.true((await one.set(wrong)) < 0);
});

test('locks of whole files are those of flock(2) on the host', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'text');
	const {guest, fh, set} = await lockable(t, folder);
	const own = open(join(folder, 'file'), O.RDWR);
	t.teardown(() => close(own));
	t.is(await set({lk_flags: 1}), 0);
	t.is(await set({lk_flags: 1, owner: 2n}), -Errno.EAGAIN);
	t.is(lockFile(own), -Errno.EWOULDBLOCK);
	t.is(await set({owner: 2n}), 0, 'those of ranges are others');
	t.is(await set({lk_flags: 1, type: noLock, start: 5n, end: 9n}), 0);
	t.is(lockFile(own, true), 0);
	t.is(await set({lk_flags: 1}), -Errno.EAGAIN);
	t.is(await set({lk_flags: 1, type: readLock}), 0);
	t.is(lockFile(own), -Errno.EWOULDBLOCK);
	t.is((await guest.ask(Opcode.RELEASE, 0, releaseOf(fh, 2, 1n))).error, 0);
	t.is(lockFile(own), 0);
});

test('who waits for a lock gets it later, is interrupted, or goes on waiting in another process', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'text');
	const [one, other] = [await lockable(t, folder), await lockable(t, folder)];
	t.is(await one.set(), 0);
	other.guest.put(Opcode.SETLKW, 0, other.words({}));
	await other.guest.machine.run();
	t.deepEqual(other.guest.driver.used(1), [], 'it waits');
	t.is(await one.set({type: noLock}), 0);
	other.guest.expire();
	t.is((await other.guest.answer()).error, 0);
	one.guest.put(Opcode.SETLKW, 0, one.words({}));
	await one.guest.machine.run();
	await one.guest.say(Opcode.INTERRUPT, 0, InterruptIn.encode({unique: one.guest.lastUnique}));
	t.is((await one.guest.answer()).error, -Errno.EINTR);
	one.guest.put(Opcode.SETLKW, 0, one.words({}));
	await one.guest.machine.run();
	await one.guest.machine.stop();
	t.deepEqual(one.guest.driver.used(1), [], 'a pause leaves it in its queue');
	one.guest.machine.start();
	await one.guest.machine.run();
	t.is(await other.set({type: noLock}), 0);
	one.guest.expire();
	t.is((await one.guest.answer()).error, 0);
	t.deepEqual(one.guest.machine.failures, []);
});

test('who waits for locks is one of few', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'text');
	const [one, other] = [await lockable(t, folder), await lockable(t, folder)];
	t.is(await one.set(), 0);
	const {guest} = other;
	for (let place = 0; place < 65; place++) guest.put(Opcode.SETLKW, 0, other.words({}), {place, room: 64});
	await guest.machine.run();
	t.deepEqual(guest.driver.used(1), [[128, 16]], 'all but the last wait');
	t.is(guest.errorAt(64), -Errno.ENOLCK);
	t.is(await one.set({type: noLock}), 0);
	guest.expire();
	await guest.machine.run();
	t.is(guest.driver.used(1).length, 64);
	t.deepEqual(new Set(Array.from({length: 64}, (_, place) => guest.errorAt(place))), new Set([0]));
});

/** A machine that goes on where another one is, which has stopped. */
async function goesOn(t: ExecutionContext, guest: FsDriver, path: string, kept?: Uint8Array): Promise<FsDriver> {
	const made = await FsDriver.restored(path, guest, kept);
	t.teardown(() => made.machine.dispose());
	return made;
}

test('files that a snapshot knows are found again, and what has gone is told', async (t) => {
	const folder = folderOf(t);
	mkdirSync(join(folder, 'a', 'b'), {recursive: true});
	for (const name of ['a/b/file', 'a/gone', 'a/other']) writeFileSync(join(folder, name), name);
	const guest = await mounted(t, folder);
	const [file, gone, other] = [await guest.find('a/b/file'), await guest.find('a/gone'), await guest.find('a/other')];
	const [directory] = [await guest.find('a/b')];
	const [reading, lost] = [await guest.open(file), await guest.open(gone)];
	const listing = await guest.open(directory, 0, Opcode.OPENDIR);
	await guest.machine.stop();
	unlinkSync(join(folder, 'a', 'gone'));
	renameSync(join(folder, 'a', 'other'), join(folder, 'a', 'moved'));
	const again = await goesOn(t, guest, folder);
	t.like(await again.attributes(file), {size: 8n});
	t.deepEqual(await again.read(reading, 2, 100), Buffer.from('b/file'));
	t.is(await again.write(reading, 8, Buffer.from('!')), 1);
	t.is(readFileSync(join(folder, 'a', 'b', 'file'), 'utf8'), 'a/b/file!');
	t.is(await again.attributes(gone), -Errno.ESTALE);
	t.is(await again.read(lost, 0, 1), -Errno.EBADF);
	t.is(await again.attributes(other), -Errno.ESTALE);
	t.true((await again.find('a/moved')) > other, 'a number is nobody else\u2019s later');
	t.is(await again.find('a/b/file'), file);
	t.deepEqual(((await again.list(directory)) as string[]).sort(), ['.', '..', 'file']);
	t.is((await again.ask(Opcode.RELEASEDIR, directory, releaseOf(listing))).error, 0);
	t.deepEqual(again.machine.failures, []);
});

test('a snapshot of anybody\u2019s leads nowhere but into the folder', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'mine');
	execFileSync('ln', ['-s', '/', join(folder, 'root')]);
	const hostile = [
		'{"next":10,"nodes":[[2,1,"..",1]],"handles":[]}',
		'{"next":10,"nodes":[[2,1,"a/b",1]],"handles":[]}',
		'{"next":1e300,"nodes":[],"handles":[]}',
		'{"next":10,"nodes":[[2,2,"x",1],[3,9,"y",1],[2,1,"file",1],[2,1,"file",1],[1,1,"file",1]],"handles":[[1,2,2,0],[1,2,2,0],[99999,2,2,0],[2,77,2,1]]}',
		'{"next":10,"nodes":[[2,1,"root",1],[3,2,"etc",1],[4,3,"passwd",1]],"handles":[[1,4,0,0],[2,3,0,1]]}',
		'[[[[',
		'null',
		'{"nodes":{}}',
	];
	for (const text of hostile) {
		const guest = await mounted(t, folder);
		await guest.machine.stop();
		const bytes = Buffer.from(text);
		const kept = Buffer.concat([Uint8Array.of(bytes.length, bytes.length >> 8, 0, 0), bytes]);
		const again = await goesOn(t, guest, folder, kept);
		t.deepEqual(again.machine.failures, [], text);
		for (const node of [3, 4]) t.is(await again.attributes(node), -Errno.ESTALE, text);
		for (const handle of [2, 99_999]) t.is(await again.read(handle, 0, 10), -Errno.EBADF, text);
		t.true((await again.lookup(1, 'file')) > 1);
	}
});
