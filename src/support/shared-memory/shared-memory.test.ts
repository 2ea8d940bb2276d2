import {Worker} from 'node:worker_threads';
import test from 'ava';
import {wire} from '#support/wire';
import {ByteRing, ringFields} from './index.ts';

test('a ring accepts its capacity, refuses more, and keeps order across the wrap', (t) => {
	const Queue = wire('queue', ringFields('tx', 8));
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
