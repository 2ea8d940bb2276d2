import {once} from 'node:events';
import {closeSync, openSync} from 'node:fs';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {koffi} from '#support/ffi';
import {HostMemory, IoVectors, MappedMemory, PinCount, WriteLog} from './index.ts';
import {plainMemory} from './testing/index.ts';

const length = 0x10000;
const sample = () => {
	const handle = plainMemory({gpa: 0, length}, {gpa: length, length}, {gpa: 2 ** 32, length});
	const pins = handle.ranges.map(({ledger}) => new PinCount(ledger));
	return {handle, memory: new MappedMemory(handle), pins, counts: () => pins.map(({count}) => count)};
};
const vectorsOf = (list: IoVectors) =>
	Array.from({length: list.count}, (_, index) => [list.hostAddress(index), list.length(index)]);

test('a range is a vector for each piece of RAM that it lies in, by host address', (t) => {
	const {handle, memory, counts} = sample();
	const [first = 0, second = 0, third = 0] = handle.ranges.map(({hostAddress}) => hostAddress);
	const list = new IoVectors(4);
	t.true(memory.pin(length - 8, 24, 'read', list));
	t.true(memory.pin(2 ** 32 + 5, 11, 'write', list));
	t.deepEqual(vectorsOf(list), [
		[first + length - 8, 8],
		[second, 16],
		[third + 5, 11],
	]);
	t.deepEqual(counts(), [1, 1, 1]);
	list.release();
	t.deepEqual(counts(), [0, 0, 0]);
	t.is(list.count, 0);
});

test('what is no RAM, does not fit into the list or is on its way out is not pinned at all', (t) => {
	const {memory, counts, pins} = sample();
	const list = new IoVectors(2);
	t.true(memory.pin(0, 8, 'read', list));
	t.false(memory.pin(2 * length - 8, 16, 'read', list));
	t.false(memory.pin(length - 8, 16, 'read', list), 'it takes two vectors, and there is room for one');
	t.deepEqual(counts(), [1, 0, 0]);
	void pins[1]?.close();
	t.false(memory.pin(length, 8, 'read', list));
	list.release();
	t.false(memory.pin(length - 8, 16, 'read', list));
	t.deepEqual(counts(), [0, 0, 0]);
});

test('what lies behind the vectors is copied, from any byte of them on', (t) => {
	const {memory} = sample();
	const list = new IoVectors(4);
	t.true(memory.pin(length - 3, 8, 'write', list));
	t.true(memory.pin(2 ** 32, 5, 'write', list));
	t.is(list.bytes, 13);
	const bytes = Uint8Array.from({length: 20}, (_, index) => index);
	list.copyIn(2, bytes, 3, 10);
	const copied = new Uint8Array(20).fill(0xff);
	list.copyOut(1, copied, 4, 12);
	t.deepEqual([...copied.slice(3, 17)], [0xff, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0xff]);
	t.is(memory.readU8(2 ** 32 + 3) as unknown, 12);
	t.throws(() => list.copyOut(10, copied, 0, 4), {instanceOf: RangeError});
	list.release();
	t.is(list.bytes, 0);
});

test('memory goes when the last pin is released, by whichever thread', async (t) => {
	const {handle, memory, pins} = sample();
	const list = new IoVectors(1);
	t.true(memory.pin(0, 8, 'read', list));
	const source = `
		const {parentPort, workerData: {handle, module}} = require('node:worker_threads');
		import(module).then(({MappedMemory, IoVectors}) => {
			const list = new IoVectors(1);
			parentPort.once('message', () => list.release());
			parentPort.postMessage(new MappedMemory(handle).pin(0, 8, 'write', list));
		});`;
	const module = new URL('./index.ts', import.meta.url).href;
	const worker = new Worker(source, {eval: true, workerData: {handle, module}});
	t.deepEqual(await once(worker, 'message'), [true]);
	t.is(pins[0]?.count, 2);
	let isClosed = false;
	const closing = pins[0]?.close().then(() => {
		isClosed = true;
	});
	list.release();
	await new Promise(setImmediate);
	t.false(isClosed);
	worker.postMessage('release');
	await closing;
	t.is(pins[0]?.count, 0);
	await once(worker, 'exit');
});

test('the structs are what readv takes: a file comes into guest memory without a copy', (t) => {
	const readv = koffi().load(null).func('intptr_t readv(int fd, const void *vectors, int count)');
	const {memory} = sample();
	const list = new IoVectors(3);
	memory.fill(length - 4, 8, 0xff);
	t.true(memory.pin(length - 4, 8, 'write', list));
	const fd = openSync('/dev/zero', 'r');
	t.is(readv(fd, list.structs, list.count), 8);
	closeSync(fd);
	const bytes = new Uint8Array(10);
	memory.copyOut(length - 5, bytes);
	t.deepEqual([...bytes], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('a part of a list is a list over the same memory, and pins nothing a second time', (t) => {
	const {handle, memory, counts} = sample();
	const [first = 0, second = 0, third = 0] = handle.ranges.map(({hostAddress}) => hostAddress);
	const whole = new IoVectors(3);
	t.true(memory.pin(length - 8, 24, 'write', whole));
	t.true(memory.pin(2 ** 32, 16, 'write', whole));
	const part = new IoVectors(3);
	t.true(part.addPart(whole, 3, 25));
	t.deepEqual(vectorsOf(part), [
		[first + length - 5, 5],
		[second, 16],
		[third, 4],
	]);
	t.is(part.bytes, 25);
	t.deepEqual(counts(), [1, 1, 1]);
	const log = new WriteLog(memory, {start() {}, collect() {}, stop() {}});
	const since = log.checkpoint();
	part.copyIn(4, Uint8Array.of(1, 2, 3), 0, 3);
	const copied = new Uint8Array(5);
	whole.copyOut(6, copied, 0, 5);
	t.deepEqual([...copied], [0, 1, 2, 3, 0]);
	part.release();
	t.deepEqual([part.count, part.bytes], [0, 0]);
	t.deepEqual(counts(), [1, 1, 1], 'the whole has them pinned');
	whole.release();
	t.deepEqual(counts(), [0, 0, 0]);
	const written: number[] = [];
	log.writtenAfter(since, {gpa: 0, length: 2 ** 33}, (gpa) => written.push(gpa));
	log.close();
	t.deepEqual(written, [length - 4096, length, 2 ** 32]);
});

test('a part begins and ends with vectors, or is empty, and one that does not fit leaves nothing behind', (t) => {
	const {handle, memory} = sample();
	const [, second = 0] = handle.ranges.map(({hostAddress}) => hostAddress);
	const whole = new IoVectors(2);
	t.true(memory.pin(length - 8, 24, 'read', whole));
	const part = new IoVectors(1);
	t.true(part.addPart(whole, 8, 16));
	t.deepEqual(vectorsOf(part), [[second, 16]]);
	part.release();
	t.true(part.addPart(whole, 24, 0));
	t.is(part.count, 0);
	t.false(part.addPart(whole, 7, 2));
	t.deepEqual([part.count, part.bytes], [0, 0]);
	t.throws(() => part.addPart(whole, 20, 5), {instanceOf: RangeError});
	whole.release();
});

test('a list goes over the memory of the host as over that of the guest', (t) => {
	const {handle, memory, counts} = sample();
	const [first = 0] = handle.ranges.map(({hostAddress}) => hostAddress);
	const own = new HostMemory(8192);
	t.is(own.hostAddress % 4096, 0);
	own.bytes.fill(7);
	const whole = new IoVectors(1);
	t.true(memory.pin(0x100, 16, 'read', whole));
	const mixed = new IoVectors(3);
	t.true(mixed.addHost(own, 4000, 100));
	t.true(mixed.addPart(whole, 4, 8));
	t.true(mixed.addHost(own, 0, 1));
	t.false(mixed.addHost(own, 0, 1));
	t.deepEqual(vectorsOf(mixed), [
		[own.hostAddress + 4000, 100],
		[first + 0x104, 8],
		[own.hostAddress, 1],
	]);
	const bytes = new Uint8Array(10).fill(9);
	mixed.copyIn(98, bytes, 0, 10);
	mixed.fill(97, 2, 3);
	t.deepEqual([...own.bytes.subarray(4096, 4101)], [7, 3, 3, 9, 7]);
	t.is(memory.readU8(0x10b) as unknown, 9);
	mixed.copyOut(98, bytes, 0, 2);
	t.deepEqual([...bytes.subarray(0, 3)], [3, 9, 9]);
	mixed.release();
	t.deepEqual(counts(), [1, 0, 0]);
	t.throws(() => mixed.addHost(own, 8000, 200), {instanceOf: RangeError});
	whole.release();
});

test('readv takes memory of the host', (t) => {
	const readv = koffi().load(null).func('intptr_t readv(int fd, const void *vectors, int count)');
	const own = new HostMemory(5000);
	own.bytes.fill(0xff);
	const list = new IoVectors(1);
	t.true(list.addHost(own, 4090, 10));
	const fd = openSync('/dev/zero', 'r');
	t.is(readv(fd, list.structs, list.count), 10);
	closeSync(fd);
	t.is(own.bytes.indexOf(0), 4090);
	t.is(own.bytes.lastIndexOf(0), 4099);
});
