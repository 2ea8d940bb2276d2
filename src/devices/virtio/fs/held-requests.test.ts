// Requests of a folder that answers when a test says so.
import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import type {FolderFile, FolderObject} from '#devices/folder/object';
import {calledObject} from '#devices/folder/object/testing';
import {ringIndirect} from '#devices/virtio/testing';
import {Errno} from '#support/ffi';
import {fuseVersion, InHeader, InitIn, Opcode, ReadIn} from './layout.ts';
import {FsDriver} from './testing/fs-driver.ts';

const requestQueue = 1;
/** More looks than the slowest host needs. */
const mostLooks = 100_000;

/** A client that has `file` open, whose reads are held. */
async function heldReads(t: ExecutionContext) {
	const held: (() => void)[] = [];
	const closed: string[] = [];
	const file: FolderFile = {
		read: () => new Promise((resolve) => held.push(() => resolve({bytesRead: 0}))),
		close: () => void closed.push('file'),
	};
	const object: FolderObject = {
		lstat: (path) => (path === '/' ? {mode: 0o040755, size: 0} : {mode: 0o100644, size: 5}),
		readdir: () => ['file'],
		open: () => file,
	};
	const {folder, close} = calledObject(object);
	t.teardown(close);
	const guest = await FsDriver.over(folder);
	t.teardown(async () => {
		for (const each of held) each();
		await guest.machine.dispose();
	});
	const turn = async () => {
		for (const [worker] of guest.machine.workers.entries()) guest.machine.turn(worker);
		await setImmediate();
	};
	const until = async (isSo: () => boolean) => {
		for (let look = 0; look < mostLooks && !isSo(); look++) await turn();
		t.true(isSo());
	};
	const rest = async () => {
		for (let look = 0; look < 50; look++) await turn();
	};
	return {guest, held, closed, until, rest};
}

for (const [what, opcode, words] of [
	['begins', Opcode.INIT, InitIn.encode({...fuseVersion, flags: 0, max_readahead: 4096})],
	['leaves', Opcode.DESTROY, new Uint8Array()],
] as const)
	test(`a client that ${what} amid requests waits for them`, async (t) => {
		const {guest, held, closed, until, rest} = await heldReads(t);
		const node = await guest.lookup(1, 'file');
		const fh = await guest.open(node, 0);
		guest.put(Opcode.READ, node, ReadIn.encode({fh, offset: 0, size: 16}), {room: 64});
		await until(() => held.length === 1);
		guest.put(opcode, 0, words, {room: 200, place: 2});
		guest.put(Opcode.GETATTR, node, new Uint8Array(16), {room: 200, place: 4});
		await rest();
		t.deepEqual(guest.driver.used(requestQueue), []);
		t.deepEqual(closed, []);
		held[0]?.();
		const order: number[] = [];
		await until(() => {
			order.push(...guest.driver.used(requestQueue).map(([head]) => head));
			return order.length === 3;
		});
		t.deepEqual(order, [0, 4, 8]);
		t.is(guest.errorAt(4), opcode === Opcode.INIT ? -Errno.ESTALE : -Errno.EIO, 'nothing of before is known');
		await until(() => closed.length === 1);
		t.deepEqual(guest.machine.failures, []);
	});

test('64 requests are under way at once, and further ones wait in the queue', async (t) => {
	const {guest, held, until, rest} = await heldReads(t);
	const {memory, registers} = guest.machine;
	registers.write('device_status', 0);
	await until(() => registers.read('device_status') === 0);
	guest.driver.begin([ringIndirect], 2);
	await guest.init();
	const node = await guest.lookup(1, 'file');
	const words = ReadIn.encode({fh: await guest.open(node, 0), offset: 0, size: 16});
	const {descriptors} = guest.driver.place(requestQueue);
	for (let index = 0; index < 100; index++) {
		const [table, request, answer] = [0x2_0000 + 32 * index, 0x2_2000 + 128 * index, 0x3_0000 + 64 * index];
		const head = InHeader.encode({
			len: InHeader.size + words.length,
			opcode: Opcode.READ,
			unique: 500n + BigInt(index),
		});
		memory.copyIn(request, Buffer.concat([head, words]));
		guest.driver.describe(table, 0, request, InHeader.size + words.length, 1, 1);
		guest.driver.describe(table, 1, answer, 64, 2);
		guest.driver.describe(descriptors, index, table, 32, 4);
		guest.driver.publish(index, requestQueue);
	}
	registers.notify(requestQueue);
	await until(() => held.length === 64);
	await rest();
	t.is(held.length, 64);
	let done = 0;
	await until(() => {
		for (const each of held.splice(0)) each();
		done += guest.driver.used(requestQueue).length;
		return done === 100;
	});
	t.deepEqual(guest.machine.failures, []);
});

test('a folder that never answers is asked for one name of a directory, and not for all', async (t) => {
	const asked: string[] = [];
	const names = Array.from({length: 40}, (_, index) => `name-${index}`);
	const object: FolderObject = {
		lstat(path) {
			if (path === '/') return {mode: 0o040755, size: 0};
			asked.push(path);
			return path === '/name-0' ? {mode: 0o100644, size: 5} : new Promise(() => {});
		},
		readdir: () => names,
	};
	const {folder, close} = calledObject(object, {}, 50);
	t.teardown(close);
	const guest = await FsDriver.over(folder);
	t.teardown(() => guest.machine.dispose());
	t.deepEqual(await guest.list(1, Opcode.READDIRPLUS, 16_384), ['.', '..', ...names]);
	t.deepEqual(asked, ['/name-0', '/name-1']);
});
