import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {LocalApic, LocalApics} from './index.ts';
import {write} from './testing/index.ts';

/** Each poster has vectors of its own, in the same word. */
const posters = 2;
const vectors = 8;
const firstVector = 0x40;
const posts = 30_000;
/** A poster whose vectors are all on their way looks again, and not for ever. */
const turns = 200 * posts;
/** Words behind those of the vectors: posters go; posters that are done. */
const [GO, DONE] = [posters * vectors, posters * vectors + 1] as const;

// Posts each vector again as soon as it has been taken.
const source = `
	const {parentPort, workerData: {url, buffer, words, poster, posters, vectors, firstVector, posts, turns, GO, DONE}} =
		require('node:worker_threads');
	import(url).then(({LocalApics}) => {
		const all = new LocalApics(buffer, () => {});
		parentPort.postMessage('ready');
		Atomics.wait(words, GO, 0);
		let posted = 0;
		for (let turn = 0; turn < turns && posted < posts; turn++) {
			const index = poster + (turn % vectors) * posters;
			if (Atomics.load(words, index) !== 0) continue;
			Atomics.store(words, index, 1);
			all.send(0xfee01000, 0, firstVector + index);
			posted++;
		}
		Atomics.add(words, DONE, 1);
		parentPort.postMessage(posted);
	});
`;

test('two threads post to one processor, which takes and ends interrupts meanwhile: none is lost', async (t) => {
	const buffer = new SharedArrayBuffer(LocalApics.byteLength(2));
	/** 1 while a vector has been posted and not taken. */
	const words = new Int32Array(new SharedArrayBuffer((DONE + 1) * 4));
	const all = new LocalApics(buffer, () => undefined);
	const specs = [0, 1].map((index) => ({index, apicId: index, apicMode: 'x2apic-supported'}) as const);
	for (const spec of specs) all.add(spec);
	const outside = {now: () => 1n, counter: () => 0n, timeOf: () => 0n, endOfInterrupt: () => undefined};
	const apic = new LocalApic(all, specs[1] ?? t.fail(), {physicalAddressBits: 40, tscDeadline: true}, outside);
	write(apic, 'svr', 0x1ff);
	const url = new URL('./index.ts', import.meta.url).href;
	const common = {url, buffer, words, posters, vectors, firstVector, posts, turns, GO, DONE};
	const workers = Array.from(
		{length: posters},
		(_, poster) => new Worker(source, {eval: true, workerData: {...common, poster}}),
	);
	await Promise.all(workers.map((worker) => once(worker, 'message')));
	const posted = Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as number));
	const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
	let [taken, unasked] = [0, 0];
	const take = () => {
		const vector = apic.accept();
		if (vector === undefined) return false;
		write(apic, 'eoi', 0);
		taken++;
		if (Atomics.exchange(words, vector - firstVector, 0) !== 1) unasked++;
		return true;
	};
	Atomics.store(words, GO, 1);
	Atomics.notify(words, GO);
	while (Atomics.load(words, DONE) < posters) take();
	while (take());
	const [one = 0, other = 0] = await posted;
	await ended;
	t.true(one > 0 && other > 0);
	t.deepEqual({taken, unasked}, {taken: one + other, unasked: 0});
});
