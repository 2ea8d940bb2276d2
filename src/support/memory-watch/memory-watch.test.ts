import {spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {Worker} from 'node:worker_threads';
import test, {type ExecutionContext} from 'ava';
import {addressOf, close, Memfd, Mmap, mapOver, memfdCreate, truncate} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import {watchMemory} from './index.ts';

/** Memory with a file under it, which can be cut. */
function memoryOfFile(t: ExecutionContext, length: number, flags: number = Memfd.CLOEXEC) {
	const buffer = allocateSharedPages(length);
	const fd = memfdCreate('openvmm-test', flags);
	t.is(truncate(fd, length), 0);
	t.is(mapOver(addressOf(buffer), length, {protection: 3, flags: Mmap.SHARED, fd}), 0);
	t.teardown(() => close(fd));
	const cut = (size: number) => t.is(truncate(fd, size), 0);
	return {buffer, bytes: new Uint8Array(buffer), hostAddress: Number(addressOf(buffer)), length, cut};
}

/** What is told of a failure; a test that waits for it keeps its process. */
function failure(t: ExecutionContext) {
	const keeping = setInterval(() => {}, 1000);
	t.teardown(() => clearInterval(keeping));
	return Promise.withResolvers<void>();
}

test('memory without a page under it reads as zeros, can be written, and its owner is told once', async (t) => {
	const one = memoryOfFile(t, 65536);
	one.bytes.fill(7);
	const {promise, resolve} = failure(t);
	let told = 0;
	using watch = watchMemory([{...one, pageBytes: 4096}], () => {
		told++;
		resolve();
	});
	one.cut(4096);
	t.is(one.bytes[0], 7);
	t.is(watch.failedAt, undefined);
	t.is(one.bytes[4096 + 5], 0);
	t.is(watch.failedAt, one.hostAddress + 4096 + 5);
	one.bytes[4096 + 5] = 9;
	t.is(one.bytes[4096 + 5], 9);
	one.bytes[2 * 4096] = 1;
	await promise;
	t.is(one.bytes[3 * 4096], 0);
	await new Promise((done) => setTimeout(done, 50));
	t.is(told, 1);
});

test('only the owner of what failed is told, and the place of a watch that has ended is free for others', async (t) => {
	const [one, other, third] = [memoryOfFile(t, 65536), memoryOfFile(t, 65536), memoryOfFile(t, 65536)];
	const {promise, resolve} = failure(t);
	watchMemory([{...one, pageBytes: 4096}], () => t.fail())[Symbol.dispose]();
	using quiet = watchMemory([{...third, pageBytes: 4096}], () => t.fail());
	const watch = watchMemory([{...other, pageBytes: 4096}], resolve);
	other.cut(0);
	t.is(other.bytes[0], 0);
	await promise;
	watch[Symbol.dispose]();
	t.is(watch.failedAt, other.hostAddress, 'it is still known afterwards');
	t.is(quiet.failedAt, undefined);
});

test('a thread of its own has watches of its own, and any thread may meet the failure', async (t) => {
	const [mine, theirs] = [memoryOfFile(t, 65536), memoryOfFile(t, 65536)];
	const {promise, resolve} = failure(t);
	using watch = watchMemory([{...mine, pageBytes: 4096}], resolve);
	const source = `
		const {parentPort, workerData: {mine, theirs, module}} = require('node:worker_threads');
		import(module).then(({watchMemory}) => {
			const watch = watchMemory([{...theirs, pageBytes: 4096}], () => parentPort.postMessage('told'));
			parentPort.once('message', () => {
				new Uint8Array(mine)[0];
				parentPort.postMessage(new Uint8Array(theirs.buffer)[5]);
				setInterval(() => {}, 1000);
			});
			parentPort.postMessage('ready');
		});`;
	const module = import.meta.resolve('./index.ts');
	const {buffer, hostAddress, length} = theirs;
	const workerData = {mine: mine.buffer, theirs: {buffer, hostAddress, length}, module};
	const worker = new Worker(source, {eval: true, workerData});
	t.teardown(() => worker.terminate());
	t.deepEqual(await once(worker, 'message'), ['ready']);
	theirs.bytes.fill(7);
	mine.cut(0);
	theirs.cut(0);
	worker.postMessage('go');
	t.deepEqual(await once(worker, 'message'), [0]);
	t.deepEqual(await once(worker, 'message'), ['told']);
	await promise;
	t.is(watch.failedAt, mine.hostAddress);
});

const hugePage = 2 ** 21;
const freeHugePages = Number(/^HugePages_Free:\s+(\d+)$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0);
const withHugePages = freeHugePages >= 2 ? test : test.skip;

withHugePages('a huge page is mapped over as a whole', (t) => {
	// The buffer begins where V8 likes, so that some of it may lie before the first border of a huge page.
	const buffer = allocateSharedPages(3 * hugePage);
	const hostAddress = Math.ceil(Number(addressOf(buffer)) / hugePage) * hugePage;
	const fd = memfdCreate('openvmm-test', Memfd.CLOEXEC | Memfd.HUGETLB | Memfd.HUGE_2MB);
	t.teardown(() => close(fd));
	t.is(truncate(fd, 2 * hugePage), 0);
	t.is(mapOver(BigInt(hostAddress), 2 * hugePage, {protection: 3, flags: Mmap.SHARED, fd}), 0);
	const bytes = new Uint8Array(buffer, hostAddress - Number(addressOf(buffer)), 2 * hugePage).fill(7);
	using watch = watchMemory([{hostAddress, length: 2 * hugePage, pageBytes: hugePage}], () => {});
	t.is(truncate(fd, hugePage), 0);
	t.is(bytes[hugePage + 12345], 0);
	t.is(watch.failedAt, hostAddress + hugePage + 12345);
	t.is(bytes[hugePage - 1], 7);
});

/** Runs code in a process of its own. `m` has this folder's module, `ffi` and `memory` those beside it. */
function inProcess(code: string) {
	const modules = ['./index.ts', '../ffi/index.ts', '../shared-memory/index.ts'].map((name) =>
		import.meta.resolve(name),
	);
	const imports = modules.map((url, index) => `const ${['m', 'ffi', 'memory'][index]} = await import('${url}');`);
	const source = `${imports.join('\n')}
		const file = () => {
			const buffer = memory.allocateSharedPages(65536);
			const fd = ffi.memfdCreate('x', 1);
			ffi.truncate(fd, 65536);
			ffi.mapOver(ffi.addressOf(buffer), 65536, {protection: 3, flags: 1, fd});
			return {fd, bytes: new Uint8Array(buffer), hostAddress: Number(ffi.addressOf(buffer)), length: 65536, pageBytes: 4096};
		};
		${code}`;
	const args = ['--import=tsx', '--input-type=module', '--eval', source];
	const {status, signal, stdout, stderr} = spawnSync(process.execPath, args, {encoding: 'utf8'});
	return {status, signal, stdout, stderr};
}

test('a bus error elsewhere ends the process as ever', (t) => {
	const ended = inProcess(`
		const [watched, other] = [file(), file()];
		m.watchMemory([watched], () => {});
		ffi.truncate(other.fd, 0);
		console.log('before');
		other.bytes[0];
		console.log('after');`);
	t.deepEqual([ended.stdout, ended.signal], ['before\n', 'SIGBUS'], ended.stderr);
});

test('so does one in memory that is not watched any more', (t) => {
	const ended = inProcess(`
		const watched = file();
		m.watchMemory([watched], () => {})[Symbol.dispose]();
		ffi.truncate(watched.fd, 0);
		watched.bytes[0];
		console.log('after');`);
	t.deepEqual([ended.stdout, ended.signal], ['', 'SIGBUS'], ended.stderr);
});

test('the signal that somebody sends ends the process, whatever its sender makes look like an address', (t) => {
	const ended = inProcess(`
		m.watchMemory([{hostAddress: 0, length: 2 ** 46, pageBytes: 4096}], () => console.log('told'));
		process.kill(process.pid, 'SIGBUS');
		setInterval(() => {}, 1000);`);
	t.deepEqual([ended.stdout, ended.signal], ['', 'SIGBUS'], ended.stderr);
});
