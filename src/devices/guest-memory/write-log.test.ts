import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {unchecked} from '#support/trust';
import {type DirtySource, IoVectors, MappedMemory, WriteLog} from './index.ts';
import {plainMemory} from './testing/index.ts';

const mib = 2 ** 20;
const page = 4096;
const all = {gpa: 0, length: 2 ** 33};

/** 8 MiB at 0, and adjoining 1 MiB; 64 KiB at 4 GiB. */
const places = [
	{gpa: 0, length: 8 * mib},
	{gpa: 8 * mib, length: mib},
	{gpa: 2 ** 32, length: 0x10000},
];

/** A guest that stores where it is told to. */
class Stores implements DirtySource {
	readonly since: [gpa: number, length: number][] = [];
	isWatched = false;
	start() {
		this.isWatched = true;
	}
	collect(visit: (gpa: number, length: number) => void) {
		for (const [gpa, length] of this.since.splice(0)) visit(gpa, length);
	}
	stop() {
		this.isWatched = false;
	}
}

function sample() {
	const handle = plainMemory(...places);
	const memory = new MappedMemory(handle);
	const stores = new Stores();
	const log = new WriteLog(memory, stores);
	const written = (since: number, range = all) => {
		const runs: [gpa: number, length: number][] = [];
		log.writtenAfter(since, range, (gpa, length) => runs.push([gpa, length]));
		return runs;
	};
	return {handle, memory, stores, log, written};
}

const writers: Readonly<Record<string, (memory: MappedMemory, gpa: number) => unknown>> = {
	writeU8: (memory, gpa) => memory.writeU8(gpa, 1),
	writeU16: (memory, gpa) => memory.writeU16(gpa, 1),
	writeU32: (memory, gpa) => memory.writeU32(gpa, 1),
	writeU64: (memory, gpa) => memory.writeU64(gpa, 1),
	writeBigU64: (memory, gpa) => memory.writeBigU64(gpa, 1n),
	copyIn: (memory, gpa) => memory.copyIn(gpa, new Uint8Array(8)),
	fill: (memory, gpa) => memory.fill(gpa, 8, 0),
	'window.writeU8': (memory, gpa) => memory.mapped(gpa, 8)?.writeU8(0, 1),
	'window.writeU16': (memory, gpa) => memory.mapped(gpa, 8)?.writeU16(0, 1),
	'window.writeU32': (memory, gpa) => memory.mapped(gpa, 8)?.writeU32(0, 1),
	'window.writeU64': (memory, gpa) => memory.mapped(gpa, 8)?.writeU64(0, 1),
	'window.copyIn': (memory, gpa) => memory.mapped(gpa, 8)?.copyIn(0, new Uint8Array(8), 0, 8),
	'window.releaseU16': (memory, gpa) => memory.mapped(gpa, 8)?.releaseU16(0, 1),
	'window.releaseU32': (memory, gpa) => memory.mapped(gpa, 8)?.releaseU32(0, 1),
	'window.compareExchangeU32': (memory, gpa) => {
		const window = memory.mapped(gpa, 8);
		return window?.compareExchangeU32(0, unchecked(window.readU32(0)), 1);
	},
	'a released pin': (memory, gpa) => {
		const vectors = new IoVectors(1);
		memory.pin(gpa, 8, 'write', vectors);
		vectors.release();
	},
};
for (const [name, write] of Object.entries(writers)) {
	test(`${name} marks the page that it writes`, (t) => {
		const {memory, log, written} = sample();
		const before = log.checkpoint();
		t.deepEqual(written(before), []);
		write(memory, 0x5008);
		t.deepEqual(written(before), [[0x5000, page]]);
		const after = log.checkpoint();
		t.deepEqual(written(after), []);
		t.deepEqual(written(before), [[0x5000, page]]);
		write(memory, 0x5008);
		t.deepEqual(written(after), [[0x5000, page]], 'again');
	});
}

test('pages written one after the other are one run, in each piece, and only those of the range are told', (t) => {
	const {memory, log, written} = sample();
	const since = log.checkpoint();
	memory.fill(8 * mib - 3 * page, 5 * page, 1);
	memory.writeU16(2 ** 32 + page - 1, 0xffff);
	memory.writeU8(4 * mib, 1);
	const runs = [
		[4 * mib, page],
		[8 * mib - 3 * page, 3 * page],
		[8 * mib, 2 * page],
		[2 ** 32, 2 * page],
	];
	t.deepEqual(written(since), runs as [number, number][]);
	t.deepEqual(written(since, {gpa: 8 * mib - page, length: 2 * page}), [
		[8 * mib - page, page],
		[8 * mib, page],
	]);
	t.deepEqual(written(since, {gpa: mib, length: mib}), []);
});

test("a guest's own stores count at the next checkpoint, and while somebody asks only", (t) => {
	const {stores, log, written} = sample();
	t.true(stores.isWatched);
	const first = log.checkpoint();
	stores.since.push([0x3000, 2 * page], [2 ** 40, page]);
	t.deepEqual(written(first), []);
	const second = log.checkpoint();
	t.deepEqual(written(first), [[0x3000, 2 * page]]);
	t.deepEqual(written(second), []);
	log.close();
	t.false(stores.isWatched);
});

test('a copy of no bytes marks nothing, also at the start of RAM', (t) => {
	const {memory, log, written} = sample();
	const since = log.checkpoint();
	for (const {gpa} of places) t.true(memory.copyIn(gpa, new Uint8Array(0)));
	t.deepEqual(written(since), []);
});

test('a read marks nothing', (t) => {
	const {memory, log, written} = sample();
	const since = log.checkpoint();
	memory.copyOut(0, new Uint8Array(100));
	memory.readU32(0);
	memory.mapped(0, 8)?.acquireU32(0);
	const vectors = new IoVectors(1);
	memory.pin(0, 8, 'read', vectors);
	vectors.release();
	t.deepEqual(written(since), []);
});

test('generations go on for ever: a very old one knows of nothing, and pages that nobody writes stay so', (t) => {
	const {handle, memory, log, written} = sample();
	const count = new BigInt64Array(handle.clock, 0, 1);
	const first = log.checkpoint();
	memory.writeU8(0, 1);
	for (let round = 1n; round <= 20n; round++) {
		// As many as fit between two looks at all pages.
		Atomics.store(count, 0, round * 2n ** 29n - 1n);
		log.checkpoint();
		memory.writeU8(0x5000, 1);
		const since = log.checkpoint();
		t.deepEqual(written(since), [], String(round));
		t.deepEqual(written(since - 2), [[0x5000, page]]);
	}
	t.deepEqual(
		written(first),
		places.map(({gpa, length}) => [gpa, length] as [number, number]),
	);
});

test('no write of another thread is lost between two checkpoints', async (t) => {
	const {handle, memory, log} = sample();
	const source = `
		const {workerData: {handle, module}} = require('node:worker_threads');
		import(module).then(({MappedMemory}) => {
			const memory = new MappedMemory(handle);
			for (let round = 1; round <= 20000; round++) memory.writeU32((round * 7 % 64) * 4096, round);
		});`;
	const module = new URL('./index.ts', import.meta.url).href;
	const worker = new Worker(source, {eval: true, workerData: {handle, module}});
	let ended = false;
	const end = once(worker, 'exit').then(() => {
		ended = true;
	});
	const copy = new MappedMemory(plainMemory(...places));
	const bytes = new Uint8Array(8 * mib);
	const take = (gpa: number, length: number) => {
		memory.copyOut(gpa, bytes, 0, length);
		copy.copyIn(gpa, bytes, 0, length);
	};
	let since = log.checkpoint();
	while (!ended) {
		await new Promise(setImmediate);
		const next = log.checkpoint();
		log.writtenAfter(since, all, take);
		since = next;
	}
	await end;
	log.writtenAfter(since, all, take);
	const [left, right] = [new Uint8Array(64 * page), new Uint8Array(64 * page)];
	memory.copyOut(0, left);
	copy.copyOut(0, right);
	t.true(left.some((byte) => byte !== 0));
	t.deepEqual(left, right);
});
