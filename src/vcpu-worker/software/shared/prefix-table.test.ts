import test from 'ava';
import {PrefixTable} from './prefix-table.ts';

/** Where bytes lead from a root: an entry's number, undefined where nobody knows. */
function found({next}: PrefixTable, root: number, bytes: readonly number[]): number | undefined {
	let node = root;
	for (let at = 0; node > 0; at++) node = next[(node << 8) | (bytes[at] ?? 0)] as number;
	return node < 0 ? ~node : undefined;
}

const table = () => new PrefixTable(PrefixTable.allocate());
const keep = (into: PrefixTable, root: number, bytes: readonly number[], ...words: readonly number[]) =>
	into.keep(root, Uint8Array.from(bytes), Int32Array.from(words));

test('what one has added another one finds by its bytes, from its root', (t) => {
	const memory = PrefixTable.allocate();
	const [one, other] = [new PrefixTable(memory), new PrefixTable(memory)];
	t.true(keep(one, 1, [1, 2], 7, 8));
	t.true(keep(other, 1, [1, 3, 4], 9));
	t.true(keep(one, 3, [1, 2], 10));
	const entries = [
		[1, [1, 2]],
		[1, [1, 3, 4]],
		[3, [1, 2]],
	] as const;
	for (const each of [one, other]) {
		const numbers = entries.map(([root, bytes]) => found(each, root, bytes) as number);
		t.deepEqual(numbers, [0, 1, 2]);
		t.deepEqual(
			numbers.map((number) => [...each.wordsOf(number)]),
			[[7, 8], [9], [10]],
		);
		for (const bytes of [[1, 4], [2]]) t.is(found(each, 1, bytes), undefined);
		t.is(found(each, 2, [1, 2]), undefined);
	}
	// Another one was faster.
	t.true(keep(one, 1, [1, 2], 11));
	t.deepEqual([...one.wordsOf(found(one, 1, [1, 2]) as number)], [7, 8]);
	t.true(keep(one, 1, [5], 12));
	t.is(found(one, 1, [5]), 3);
});

test('a table is for one key', (t) => {
	const shared = table();
	const key = '01'.repeat(40);
	t.true(shared.isFor(key));
	t.true(shared.isFor(key));
	for (const other of ['', '0'.repeat(80), `${key}1`, `1${key.slice(1)}`, '1'.repeat(1000)])
		t.false(shared.isFor(other));
});

test('there is an end to what is kept, and what is there stays', (t) => {
	const shared = table();
	let count = 0;
	const bytesOf = (number: number) => [1 + (number >> 16), (number >> 8) & 0xff, number & 0xff];
	while (keep(shared, 1, bytesOf(count), count, count)) count++;
	t.true(count > 20_000 && count < 65_536);
	for (const number of [0, 1, 255, 256, count - 1]) {
		const entry = found(shared, 1, bytesOf(number)) as number;
		t.deepEqual([...shared.wordsOf(entry)], [number, number]);
	}
	shared.clear();
	t.is(found(shared, 1, bytesOf(0)), undefined);
	t.true(keep(shared, 1, bytesOf(1), 3));
	t.deepEqual([...shared.wordsOf(found(shared, 1, bytesOf(1)) as number)], [3]);
	const long = table();
	let kept = 0;
	while (keep(long, 1, [1 + (kept >> 8), kept & 0xff, ...Array.from({length: 13}, () => kept & 0xff)], kept)) kept++;
	t.true(kept > 1000 && kept < 20_000);
});
