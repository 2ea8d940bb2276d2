import {Worker} from 'node:worker_threads';
import test from 'ava';
import {lock, unlock} from './index.ts';

const words = () => new Int32Array(new SharedArrayBuffer(8));

test('a lock that nobody gives back is not had, and does not keep the thread', (t) => {
	const word = words();
	t.true(lock(word, 0));
	t.false(lock(word, 0, 50));
	t.false(lock(word, 0, 50), 'waiting has not taken it');
	unlock(word, 0);
	t.true(lock(word, 0, 50));
});

test('a lock that is given back while a thread waits is had', async (t) => {
	const word = words();
	lock(word, 0);
	// It holds the lock until this thread waits for it.
	const source = `
		const {workerData: word} = require('node:worker_threads');
		Atomics.store(word, 1, 1);
		Atomics.notify(word, 1);
		while (Atomics.load(word, 0) !== 2);
		Atomics.store(word, 0, 0);
		Atomics.notify(word, 0, 1);
	`;
	const worker = new Worker(source, {eval: true, workerData: word});
	Atomics.wait(word, 1, 0);
	t.true(lock(word, 0, 60_000));
	await new Promise((resolve) => worker.once('exit', resolve));
});
