import {Worker} from 'node:worker_threads';
import test from 'ava';
import {allocateSharedPages} from '#support/shared-memory';
import {wideExchange, wideExchangeCode} from './index.ts';

const here = process.arch === 'x64' ? test : test.skip;

here('128 bits are exchanged where they are expected, and told where not', (t) => {
	const buffer = allocateSharedPages(4096);
	const memory = new BigUint64Array(buffer);
	const exchange = wideExchange(wideExchangeCode(), buffer);
	const words = BigUint64Array.of(0n, 0n, 2n ** 64n - 1n, 5n);
	t.true(exchange(32, words));
	t.deepEqual([...memory.subarray(3, 7)], [0n, 2n ** 64n - 1n, 5n, 0n]);
	for (const expected of [
		[2n ** 64n - 1n, 4n],
		[1n, 5n],
	]) {
		words.set([...expected, 7n, 8n]);
		t.false(exchange(32, words));
		t.deepEqual([...words], [2n ** 64n - 1n, 5n, 7n, 8n]);
	}
	t.deepEqual([...memory.subarray(3, 7)], [0n, 2n ** 64n - 1n, 5n, 0n]);
	for (const at of [-16, 8, 65_536]) t.throws(() => exchange(at, words), {instanceOf: RangeError});
});

here('what another thread does to one half meanwhile is not lost', async (t) => {
	const buffer = allocateSharedPages(4096);
	const memory = new BigUint64Array(buffer);
	const rounds = 400_000;
	// It counts in the upper half by atomic operations of its own, while this one counts in both, and tells how often it has.
	const source = `
		const {workerData: memory} = require('node:worker_threads');
		let count = 0n;
		do {
			for (let round = 0; round < 100; round++) Atomics.add(memory, 1, 1n << 32n);
			count += 100n;
			Atomics.store(memory, 2, count);
		} while (Atomics.load(memory, 3) === 0n);
	`;
	const worker = new Worker(source, {eval: true, workerData: memory});
	while (Atomics.load(memory, 2) === 0n);
	const exchange = wideExchange(wideExchangeCode(), buffer);
	let [low, high] = [0n, 0n];
	for (let round = 0; round < rounds; ) {
		const words = BigUint64Array.of(low, high, low + 1n, high + 1n);
		if (exchange(0, words)) round++;
		[low, high] = [Atomics.load(memory, 0), Atomics.load(memory, 1)];
	}
	Atomics.store(memory, 3, 1n);
	await new Promise((resolve) => worker.once('exit', resolve));
	t.deepEqual([...memory.subarray(0, 2)], [BigInt(rounds), ((memory[2] as bigint) << 32n) + BigInt(rounds)]);
});
