// Requests of a folder that answers when a test says so: tags, Tflush, how many are under way, and a folder that answers never.
import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import type {FolderFile, FolderObject} from '#devices/folder/object';
import {calledObject} from '#devices/folder/object/testing';
import {ringIndirect} from '#devices/virtio/testing';
import {Reply, Request} from './messages.ts';
import {noTag, P9Client, rootFid} from './testing/client.ts';

/** A client that has `file` open as fid 1, whose reads are held until {@link letGo}. */
async function heldReads(t: ExecutionContext, limitMs?: number) {
	const held: (() => void)[] = [];
	const file: FolderFile = {
		read: () => new Promise((resolve) => held.push(() => resolve({bytesRead: 0}))),
		close: () => {},
	};
	const object: FolderObject = {
		lstat: (path) => (path === '/' ? {mode: 0o040755, size: 0} : {mode: 0o100644, size: 5}),
		readdir: () => ['file'],
		open: () => file,
	};
	const {folder, close} = calledObject(object, {}, limitMs);
	t.teardown(close);
	const client = await P9Client.start(folder);
	t.teardown(async () => {
		for (const each of held) each();
		await client.dispose();
	});
	await client.begin();
	await client.open(1, 0, 'file');
	const read = (tag: number) => client.send(Request.read, {fid: 1, offset: 0, count: 5}, {tag});
	return {client, held, read};
}

/** Gives what is not to happen the time to. */
async function rest({machine}: P9Client): Promise<void> {
	for (let turn = 0; turn < 50; turn++) {
		for (const [worker] of machine.workers.entries()) machine.turn(worker);
		await setImmediate();
	}
}

/** Asks for fid 1's content so often at once, with tags of their own from 100 on. */
function offerReads({machine: {memory, registers}, driver}: P9Client, count: number): void {
	const [tablesAt, requestsAt, repliesAt] = [0x1_5000, 0x1_6000, 0x1_8000];
	const {descriptors} = driver.place();
	const bytes = Buffer.alloc(23);
	for (let index = 0; index < count; index++) {
		const length = Request.read.write(bytes, 100 + index, {fid: 1, offset: 0, count: 5}) ?? 0;
		const [table, request] = [tablesAt + 32 * index, requestsAt + 64 * index];
		memory.copyIn(request, bytes, 0, length);
		driver.describe(table, 0, request, length, 1, 1);
		driver.describe(table, 1, repliesAt + 64 * index, 64, 2);
		driver.describe(descriptors, index, table, 32, 4);
		driver.publish(index);
	}
	registers.notify(0);
}

test('a tag that is under way is nobody else\u2019s, and free again behind its reply', async (t) => {
	const {client, held, read} = await heldReads(t);
	const slot = read(77);
	await client.until(() => held.length === 1);
	t.is(await client.refusal(Request.statfs, {fid: rootFid}, {tag: 77}), 'EINVAL');
	t.is(await client.refusal(Request.clunk, {fid: 1}, {tag: 77}), 'EINVAL', 'and does nothing');
	held[0]?.();
	t.like(await client.reply(slot), {type: Reply.read.type, tag: 77});
	t.is(await client.refusal(Request.clunk, {fid: 1}, {tag: 77}), `done: ${Reply.clunk.type}`);
	t.deepEqual(client.machine.failures, []);
});

test('a flush is answered behind what it gives up, and at once where there is nothing', async (t) => {
	const {client, held, read} = await heldReads(t);
	const order: string[] = [];
	const slot = read(5);
	await client.until(() => held.length === 1);
	const flush = client.send(Request.flush, {tag: 5}, {tag: 6});
	const second = client.send(Request.flush, {tag: 6}, {tag: 7});
	t.like(await client.ask(Request.flush, {tag: 4242}, {tag: 8}), {type: Reply.flush.type, tag: 8}, 'of none');
	t.like(await client.ask(Request.flush, {tag: 9}, {tag: 9}), {type: Reply.flush.type, tag: 9}, 'of itself');
	for (const each of [slot, flush, second]) t.is(client.got(each), undefined);
	held[0]?.();
	await client.until(() => {
		for (const [name, each] of Object.entries({slot, flush, second}))
			if (client.got(each) !== undefined && !order.includes(name)) order.push(name);
		return order.length === 3;
	});
	t.deepEqual(order, ['slot', 'flush', 'second']);
	t.deepEqual([client.got(slot)?.tag, client.got(flush)?.tag], [5, 6]);
	t.deepEqual(client.machine.failures, []);
});

test('64 requests are under way at once, and further ones wait in the queue', async (t) => {
	const {client, held} = await heldReads(t);
	// The guest's driver is a new one, which has indirect descriptors.
	client.machine.registers.write('device_status', 0);
	await client.until(() => client.machine.registers.read('device_status') === 0);
	await client.begin(0, [ringIndirect]);
	await client.open(1, 0, 'file');
	offerReads(client, 80);
	await client.until(() => held.length === 64);
	await rest(client);
	t.is(held.length, 64);
	for (const each of held.splice(0, 10)) each();
	await client.until(() => held.length === 64);
	await rest(client);
	t.is(held.length, 64, 'as many are taken as are done');
	let done = 0;
	await client.until(() => {
		for (const each of held.splice(0)) each();
		done += client.driver.used().length;
		return done === 80;
	});
	t.deepEqual(client.machine.failures, []);
});

test('a session that begins amid requests waits for them, and nothing of the last one is left', async (t) => {
	const {client, held, read} = await heldReads(t);
	const slot = read(5);
	await client.until(() => held.length === 1);
	const version = client.send(Request.version, {mostBytes: 8192, version: '9P2000.L'}, {tag: noTag});
	const attach = client.send(Request.attach, {fid: 9, authFid: 2 ** 32 - 1, user: '', tree: '', userId: 0}, {tag: 5});
	await rest(client);
	for (const each of [slot, version, attach]) t.is(client.got(each), undefined);
	held[0]?.();
	t.like(await client.reply(slot), {type: Reply.read.type, tag: 5});
	t.like(await client.reply(version), {type: Reply.version.type});
	t.like(await client.reply(attach), {type: Reply.attach.type, tag: 5});
	t.is(client.state('fids'), 1);
});

test('what never answers is ETIMEDOUT to the guest, and a reset waits for no longer', async (t) => {
	const {client, held, read} = await heldReads(t, 50);
	t.is((await client.reply(read(5))).error, 'ETIMEDOUT');
	read(6);
	await client.until(() => held.length === 2);
	client.machine.registers.write('device_status', 0);
	await client.until(() => client.machine.registers.read('device_status') === 0);
	t.is(client.state('fids'), 0);
	await client.begin();
	t.is((await client.walk(rootFid, 1, 'file')).error, undefined);
	t.deepEqual(client.machine.failures, []);
});
