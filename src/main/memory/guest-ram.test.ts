import {once} from 'node:events';
import {
	closeSync,
	existsSync,
	mkdtempSync,
	openSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {IoVectors, MappedMemory, WriteLog} from '#devices/guest-memory';
import {linuxHost, vmConfig} from '#main/config';
import type {VmmError} from '#support/errors';
import {unchecked} from '#support/trust';
import {allocateRam, type BankRequest} from './index.ts';

const mib = 2 ** 20;
const bank = (gpa: number, size: number, options: object = {}): BankRequest => ({
	memory: vmConfig({memory: {sizeBytes: size, ...options}}).memory,
	ranges: size > 0 ? [{gpa, length: size}] : [],
});

test('each node has a backing of its own, and one without memory none', (t) => {
	const ram = allocateRam([bank(0, 4 * mib), bank(0, 0), bank(4 * mib, 2 * mib, {shared: false, prefetch: true})]);
	t.teardown(() => ram.dispose());
	t.deepEqual(
		ram.ranges.map(({gpa, length}) => [gpa, length]),
		[
			[0, 4 * mib],
			[4 * mib, 2 * mib],
		],
	);
	t.deepEqual(
		ram.banks.map(({backing, prefetch, fd}) => [backing, prefetch, fd === undefined]),
		[
			['shared memory', false, false],
			['private pages', true, true],
		],
	);
});

test('all of RAM lies in one memory, nodes and all, and beyond 16 GiB in several', (t) => {
	const gib = 2 ** 30;
	const whole = allocateRam([bank(0, 3 * gib), bank(4 * gib, 9 * gib)]);
	t.teardown(() => whole.dispose());
	t.is(new Set(whole.ranges.map(({memory}) => memory)).size, 1);
	for (const [index, {offset, length}] of whole.ranges.entries())
		t.true((whole.ranges[index + 1]?.offset ?? Number.POSITIVE_INFINITY) >= offset + length);
	const large = allocateRam([bank(0, 3 * gib), bank(4 * gib, 15 * gib)]);
	t.teardown(() => large.dispose());
	t.is(new Set(large.ranges.map(({memory}) => memory)).size, 2);
});

test('pages go back to the host, from memory of each kind as it can, and are zeros or what lies under them', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-ram-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const [file, content] = [join(folder, 'ram'), join(folder, 'snapshot')];
	writeFileSync(content, new Uint8Array(2 * mib).fill(0x55));
	const fd = openSync(content, 'r');
	t.teardown(() => closeSync(fd));
	const rams = {
		shared: allocateRam([bank(0, 2 * mib)]),
		private: allocateRam([bank(0, 2 * mib, {shared: false})]),
		file: allocateRam([bank(0, 2 * mib, {file})]),
		copy: allocateRam([bank(0, 2 * mib)], {fd, what: content}),
	};
	for (const [kind, ram] of Object.entries(rams)) {
		t.teardown(() => ram.dispose());
		const memory = new MappedMemory(ram.memory);
		const log = new WriteLog(memory, {start() {}, collect() {}, stop() {}});
		memory.fill(0, 4 * 4096, 0x77);
		const before = log.checkpoint();
		const [zeros, anything] = [memory.discard(4096, 4096, 'zeros'), memory.discard(2 * 4096, 4096, 'anything')];
		t.deepEqual([zeros, anything], [kind !== 'copy', true], kind);
		const after = [0, 1, 2, 3].map((page) => unchecked(memory.readU8(page * 4096) as never));
		t.deepEqual(after, kind === 'copy' ? [0x77, 0x77, 0x55, 0x77] : [0x77, 0, 0, 0x77], kind);
		const written: number[] = [];
		log.writtenAfter(before, {gpa: 0, length: 2 * mib}, (gpa, length) => void written.push(gpa, length));
		t.deepEqual(written, kind === 'copy' ? [2 * 4096, 4096] : [4096, 2 * 4096], 'a snapshot has to look at them');
		for (const [gpa, length] of [
			[2 * mib, 4096],
			[2 * mib - 4096, 8192],
			[1, 4096],
			[0, 100],
			[-4096, 4096],
		] as const)
			t.false(memory.discard(gpa, length, 'anything'), `${kind} ${gpa} ${length}`);
	}
	t.true(statSync(file).blocks * 512 < 2 * mib, 'the file has a hole');
});

test('a page that the host no longer has is told with its address, what lay there and why; another machine has its own', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-ram-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'ram');
	const ram = allocateRam([bank(0, 2 * mib), bank(2 * mib, 4 * mib, {file: path})]);
	const other = allocateRam([bank(0, 2 * mib)]);
	t.teardown(() => other.dispose());
	const memory = new MappedMemory(ram.memory);
	memory.writeU32(0x40_0000, 7);
	t.is(ram.watch.loss, undefined);
	truncateSync(path, mib);
	t.is(unchecked(memory.readU32(0x28_0000)), 0);
	t.is(ram.watch.loss, undefined, 'what is left of the file is there');
	t.is(unchecked(memory.readU32(0x40_0004)), 0);
	const loss = ram.watch.loss as VmmError;
	t.is(loss.code, 'MEMORY_LOST');
	t.is(loss.message, `Guest memory at 0x400004 is gone, which was ${path}: the file has been cut to 1048576 bytes`);
	const keeping = setInterval(() => {}, 1000);
	t.is(await ram.watch.lost, loss);
	clearInterval(keeping);
	await ram.dispose();
	t.is(ram.watch.loss, loss);
	t.is(other.watch.loss, undefined);
});

test('private copies of a file that is cut are told of too', (t) => {
	const path = join(mkdtempSync(join(tmpdir(), 'openvmm-ram-')), 'memory');
	t.teardown(() => rmSync(dirname(path), {recursive: true}));
	writeFileSync(path, Buffer.alloc(4 * mib, 7));
	const fd = openSync(path, 'r');
	const ram = allocateRam([bank(0, 2 * mib), bank(2 * mib, 2 * mib)], {fd, what: 'a snapshot'});
	closeSync(fd);
	t.teardown(() => ram.dispose());
	const memory = new MappedMemory(ram.memory);
	memory.writeU32(0x20_1000, 9);
	truncateSync(path, 2 * mib);
	t.is(unchecked(memory.readU32(0x20_1000)), 0, 'copies go with what they were made of');
	t.regex(
		ram.watch.loss?.message ?? '',
		/^Guest memory at 0x201000 is gone, which was private copies of a snapshot: the/,
	);
});

const [hostNode] = linuxHost.memoryNodes();
const policies = '/proc/self/numa_maps';
const onNuma = hostNode !== undefined && existsSync(policies) ? test : test.skip;

for (const shared of [true, false]) {
	onNuma(`memory is bound to the node of the host that is asked for, ${shared ? 'shared' : 'private'} pages`, (t) => {
		const [bound, free] = [bank(0, 2 * mib, {shared}), bank(2 * mib, 2 * mib, {shared})];
		const ram = allocateRam([{...bound, hostNode: hostNode as number}, free]);
		t.teardown(() => ram.dispose());
		for (const {memory} of ram.ranges) new Uint8Array(memory.buffer)[0] = 1;
		const policy = (index: number) => {
			const address = ram.ranges[index]?.hostAddress.toString(16);
			return new RegExp(`^0*${address} (\\S+)`, 'm').exec(readFileSync(policies, 'latin1'))?.[1];
		};
		t.is(policy(0), `bind:${hostNode}`);
		t.is(policy(1), 'default');
	});
}

onNuma('a node that the host lacks is named', (t) => {
	const error = t.throws(() => allocateRam([{...bank(0, 2 * mib), hostNode: 900}]), {code: 'MEMORY_NODE_UNAVAILABLE'});
	t.regex(error?.message ?? '', /NUMA node 900: EINVAL/);
});

test('memory that is pinned stays as it is until the pin is released, and then nothing is there', async (t) => {
	const ram = allocateRam([bank(0, 4 * mib)]);
	const memory = new MappedMemory(ram.memory);
	memory.writeU32(0x1000, 7);
	const vectors = new IoVectors(1);
	t.true(memory.pin(0x1000, 4, 'read', vectors));
	let isGone = false;
	const gone = ram.dispose().then(() => {
		isGone = true;
	});
	await new Promise(setImmediate);
	t.false(isGone);
	t.is(unchecked(memory.readU32(0x1000)), 7);
	t.false(memory.pin(0x1000, 4, 'read', new IoVectors(1)), 'nothing new is let in');
	vectors.release();
	await gone;
	t.is(unchecked(memory.readU32(0x1000)), 0);
});

test('memory travels to another thread whole: the object that code in WebAssembly imports, and the words about pages', async (t) => {
	const ram = allocateRam([bank(0, 4 * mib)]);
	t.teardown(() => ram.dispose());
	const log = new WriteLog(new MappedMemory(ram.memory), {start() {}, collect() {}, stop() {}});
	const since = log.checkpoint();
	const source = `
		const {parentPort, workerData: {handle, module}} = require('node:worker_threads');
		import(module).then(({MappedMemory}) => {
			new MappedMemory(handle).writeU32(0x3000, 9);
			parentPort.postMessage(handle.ranges[0].memory instanceof WebAssembly.Memory);
		});`;
	const module = import.meta.resolve('#devices/guest-memory');
	const worker = new Worker(source, {eval: true, workerData: {handle: ram.memory, module}});
	t.deepEqual(await once(worker, 'message'), [true]);
	const written: number[] = [];
	log.writtenAfter(since, {gpa: 0, length: 4 * mib}, (gpa) => written.push(gpa));
	t.deepEqual(written, [0x3000]);
});
