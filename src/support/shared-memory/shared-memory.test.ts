import {Worker} from 'node:worker_threads';
import test from 'ava';
import {ByteRing, bytes, f64, i32, ringFields, sharedStruct, u8, u16} from './index.ts';

const Sample = sharedStruct('sample', {flag: u8(7), wide: u16(0x1234), word: i32(-5), time: f64(1.5), tag: bytes(3)});

test('two views of one buffer see the same fields', (t) => {
	const buffer = new SharedArrayBuffer(Sample.byteLength * 2);
	const [one, two] = [Sample.on(buffer, 64), Sample.on(buffer, 64)];
	Sample.reset(one);
	t.deepEqual(Sample.decode(two), {flag: 7, wide: 0x1234, word: -5, time: 1.5, tag: [0, 0, 0]});
	two.flag = 0x1ff;
	two.tag[2] = 9;
	t.is(one.flag, 0xff);
	t.is(Atomics.load(one.$atomic, Sample.word('word')), -5);
	t.deepEqual(Sample.decode(Sample.on(buffer)), {flag: 0, wide: 0, word: 0, time: 0, tag: [0, 0, 0]});
});

test('a ring accepts its capacity, refuses more, and keeps order across the wrap', (t) => {
	const Queue = sharedStruct('queue', ringFields('tx', 8));
	const ring = new ByteRing(Queue, Queue.on(new SharedArrayBuffer(Queue.byteLength)), 'tx');
	for (let round = 0; round < 5; round++) {
		t.is(ring.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9)), 8);
		t.false(ring.push(10));
		const first = ring.shift();
		const piece = Array.from(ring.peek());
		ring.consume(piece.length);
		const rest = Array.from(ring.peek());
		ring.consume(rest.length + 5);
		t.deepEqual([first, ...piece, ...rest], [1, 2, 3, 4, 5, 6, 7, 8]);
		t.is(ring.shift(), -1);
		ring.push(0);
		ring.shift();
	}
});

test('the lock lets one thread in at a time', async (t) => {
	const shared = new SharedArrayBuffer(64);
	const cells = new Int32Array(shared);
	const source = `
		const {workerData} = require('node:worker_threads');
		import(workerData.lock).then(({lock, unlock}) => {
			const cells = new Int32Array(workerData.shared);
			for (let i = 0; i < 20000; i++) { lock(cells, 0); cells[1] = cells[1] + 1; unlock(cells, 0); }
		});`;
	const lockModule = new URL('./lock.ts', import.meta.url).href;
	const workers = [1, 2, 3].map(() => new Worker(source, {eval: true, workerData: {shared, lock: lockModule}}));
	await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
	t.is(cells[1], 60_000);
	t.is(cells[0], 0);
});
