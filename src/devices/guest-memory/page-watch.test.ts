import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {type Lines, linesOf, PageWatch, type PageWatchHandle, watchedLinesBytes, watchLogBytes} from './index.ts';

const pageBytes = 4096;
const bit = 4;

/** A watch of this much RAM, with a word for each processor. */
function sample(watchers: number, ramBytes = 2 ** 20) {
	const words = new Int32Array(new SharedArrayBuffer(watchers * 4));
	const handle: PageWatchHandle = {
		lines: new SharedArrayBuffer(watchedLinesBytes(ramBytes)),
		log: new SharedArrayBuffer(watchLogBytes),
		watchers: [...words.keys()].map((index) => ({memory: {buffer: words.buffer}, byteOffset: index * 4})),
		bit,
	};
	return {handle, words};
}

/** Numbers of lines. */
const numbersOf = ({low, high}: Lines): number[] =>
	Array.from({length: 64}, (_, line) => line).filter((line) => (((line < 32 ? low : high) >>> (line & 31)) & 1) !== 0);

const lines = (offset: number, length: number): Lines => {
	const made = {low: 0, high: 0};
	linesOf(offset, length, made);
	return made;
};

/** What is told, as pages and numbers of lines; undefined where some is not known. */
function told(watch: PageWatch): [page: number, lines: number[]][] | undefined {
	const all: [page: number, lines: number[]][] = [];
	return watch.read((page, written) => all.push([page, numbersOf(written)])) ? all : undefined;
}

test('bytes lie in the lines that their addresses say, wherever they begin and end', (t) => {
	for (let first = 0; first < 64; first++) {
		for (let last = first; last < 64; last++) {
			const expected = Array.from({length: last - first + 1}, (_, index) => first + index);
			t.deepEqual(numbersOf(lines(first * 64 + 63, (last - first) * 64 + 1)), expected);
			t.deepEqual(numbersOf(lines(first * 64, (last - first + 1) * 64)), expected);
		}
	}
});

test('a write to watched lines is told once to each other processor, and not to its writer', (t) => {
	const {handle, words} = sample(3);
	const [writer, second, third, device] = [0, 1, 2, -1].map((self) => new PageWatch(handle, self)) as [
		PageWatch,
		PageWatch,
		PageWatch,
		PageWatch,
	];
	t.true(second.begin(5, lines(64, 64)), 'nobody had watched it');
	t.false(third.begin(5, lines(4032, 64)));
	t.true(writer.isWatched(5));
	writer.written(5 * pageBytes, 64);
	t.deepEqual([...words], [0, 0, 0], 'nobody watches the first line');
	writer.written(5 * pageBytes + 60, pageBytes - 60);
	t.deepEqual([...words], [0, bit, bit]);
	t.deepEqual([told(writer), told(second), told(third)], [[], [[5, [1, 63]]], [[5, [1, 63]]]]);
	t.false(writer.isWatched(5));
	writer.written(5 * pageBytes, pageBytes);
	t.deepEqual(told(second), [], 'once');
	second.begin(5, lines(64, 1));
	device.written(4 * pageBytes, 3 * pageBytes);
	t.deepEqual([...words], [bit, bit, bit]);
	t.deepEqual([told(writer), told(second)], [[[5, [1]]], [[5, [1]]]]);
});

test('a processor that has missed writes is told so, and then of those that follow', (t) => {
	const {handle} = sample(2);
	const [writer, reader] = [new PageWatch(handle, 0), new PageWatch(handle, 1)];
	const write = (page: number) => {
		reader.begin(page, lines(0, 1));
		writer.written(page * pageBytes, 1);
	};
	for (let round = 0; round < 8192; round++) write(round % 8);
	t.is(told(reader)?.length, 8192, 'as many as the log holds');
	for (let round = 0; round < 8193; round++) write(round % 8);
	t.is(told(reader), undefined);
	write(7);
	t.deepEqual(told(reader), [[7, [0]]]);
});

test('an entry that a writer is at when the log has gone round is no mixture: it is missed', (t) => {
	const {handle} = sample(2);
	const [writer, reader] = [new PageWatch(handle, 0), new PageWatch(handle, 1)];
	const write = () => {
		reader.begin(3, lines(0, 1));
		writer.written(3 * pageBytes, 1);
	};
	// A thread that has begun the first entry, and not gone on.
	const inside = 8 + 5;
	const log = new Int32Array(handle.log);
	log[inside] = 1;
	write();
	t.is(told(reader), undefined);
	write();
	t.deepEqual(told(reader), [[3, [0]]]);
	log[inside] = 0;
	for (let round = 2; round < 8193; round++) write();
	t.is(told(reader)?.length, 8191);
});

test('a write that is not told yet keeps nobody from those behind it, and comes when it is', (t) => {
	const {handle} = sample(3);
	const [writer, reader, other] = [0, 1, 2].map((self) => new PageWatch(handle, self)) as [
		PageWatch,
		PageWatch,
		PageWatch,
	];
	for (const page of [3, 4]) reader.begin(page, lines(0, 1));
	const log = new Int32Array(handle.log);
	// A thread that has begun an entry, and not gone on.
	const [begun, number, page, low] = [0, 8, 9, 10];
	log[begun] = 1;
	writer.written(4 * pageBytes, 1);
	t.deepEqual(told(reader), [[4, [0]]]);
	log[page] = 3;
	log[low] = 1;
	log[number] = 1;
	t.deepEqual(told(reader)?.[0], [3, [0]]);
	t.deepEqual(told(reader), []);
	// The log has gone round before that thread goes on.
	log[number] = 0;
	t.is(told(other)?.length, 1);
	for (let round = 2; round < 8193; round++) {
		reader.begin(4, lines(0, 1));
		writer.written(4 * pageBytes, 1);
	}
	t.is(told(other), undefined);
	t.deepEqual(told(other), []);
});

/** Does something before or behind the first bits that a writer clears, as if its thread stood still there. */
function atClearing(when: 'before' | 'behind', action: () => void, write: () => void): void {
	const {and} = Atomics;
	const clear = (array: Int32Array, index: number, value: number): number => {
		Atomics.and = and;
		if (when === 'before') action();
		const found = and(array, index, value);
		if (when === 'behind') action();
		return found;
	};
	Atomics.and = clear as typeof and;
	write();
}

test('who writes to a line that another is about to tell of can rely on that all know', (t) => {
	const {handle, words} = sample(3);
	const [writer, other, reader] = [0, 1, 2].map((self) => new PageWatch(handle, self)) as [
		PageWatch,
		PageWatch,
		PageWatch,
	];
	const write = (by: PageWatch) => by.written(3 * pageBytes, 1);
	reader.begin(3, lines(0, 1));
	let hears: unknown;
	atClearing(
		'behind',
		() => {
			write(other);
			hears = words[2];
			t.deepEqual(told(reader), [[3, [0]]]);
		},
		() => write(writer),
	);
	t.is(hears, bit);
	t.deepEqual(told(reader), [[3, [0]]], 'since it could have remembered the page again before that was cleared');
	// It does.
	reader.begin(3, lines(0, 1));
	words[2] = 0;
	atClearing(
		'before',
		() => {
			t.deepEqual(told(reader), [[3, [0]]]);
			reader.begin(3, lines(0, 1));
			words[2] = 0;
		},
		() => write(writer),
	);
	t.is(words[2], bit);
	t.deepEqual(told(reader), [[3, [0]]]);
	t.deepEqual(told(reader), []);
});

/** Threads that write, and what they do in a round; the rounds, in each of which the reader ends with what was written last. */
const writers = 3;
const writes = 20_000;
const rounds = 30;
const pages = 4;
/** Words: the round, and threads that are ready with it; then the values of the pages. */
const [ROUND, READY, VALUES] = [0, 1, 2];
const source = `
	const {workerData: {handle, module, words, writer, rounds, writes, pages, ROUND, READY, VALUES}} = require('node:worker_threads');
	import(module).then(({PageWatch}) => {
		const watch = new PageWatch(handle, writer);
		for (let round = 1; round <= rounds; round++) {
			Atomics.add(words, READY, 1);
			Atomics.notify(words, READY);
			Atomics.wait(words, ROUND, round - 1);
			for (let write = 0; write < writes; write++) {
				const page = (write * writer) % pages;
				Atomics.add(words, VALUES + page, 1);
				watch.written(page * 4096, 4);
			}
		}
		Atomics.add(words, READY, 1);
		Atomics.notify(words, READY);
	});
`;

test('who remembers what others write on several threads forgets it by what is told', async (t) => {
	const {handle} = sample(writers + 1);
	const reader = new PageWatch(handle, 0);
	const words = new Int32Array(new SharedArrayBuffer((VALUES + pages) * 4));
	const module = new URL('./index.ts', import.meta.url).href;
	const common = {handle, module, words, rounds, writes, pages, ROUND, READY, VALUES};
	const workers = Array.from(
		{length: writers},
		(_, index) => new Worker(source, {eval: true, workerData: {...common, writer: index + 1}}),
	);
	const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
	const known = new Map<number, number>();
	let [stale, notices] = [0, 0];
	const look = () => {
		for (let page = 0; page < pages; page++) {
			if (known.has(page)) continue;
			reader.begin(page, {low: 1, high: 0});
			known.set(page, Atomics.load(words, VALUES + page));
		}
		const isWhole = reader.read((page) => {
			notices++;
			known.delete(page);
		});
		if (!isWhole) known.clear();
	};
	for (let round = 1; round <= rounds + 1; round++) {
		while (Atomics.load(words, READY) < writers * round) look();
		reader.read((page) => known.delete(page)) || known.clear();
		for (const [page, value] of known) if (value !== words[VALUES + page]) stale++;
		Atomics.store(words, ROUND, round);
		Atomics.notify(words, ROUND);
	}
	await ended;
	t.is(stale, 0);
	t.true(notices > 0, `${notices} notices`);
});
