import test from 'ava';
import {loopsOf} from './loops.ts';

const loops = (targets: readonly (readonly number[])[], entries: readonly number[] = [0]) =>
	[...loopsOf(targets, entries)].sort(([one], [other]) => one - other);

test('a block that goes to itself is a loop, and blocks that go back to the first of them', (t) => {
	t.deepEqual(loops([[0, 1], []]), [[0, 0]]);
	t.deepEqual(loops([[1], [2], [1, 3], []]), [[1, 2]]);
});

test('loops are within each other', (t) => {
	t.deepEqual(loops([[1], [1, 2], [0, 3], []]), [
		[0, 2],
		[1, 1],
	]);
	// The second begins in the first and ends behind it.
	t.deepEqual(loops([[1], [2], [0, 3], [1, 4], []]), [
		[0, 3],
		[1, 3],
	]);
});

test('what is entered behind its first block is no loop, nor what contains such a one', (t) => {
	t.deepEqual(loops([[2], [2], [1, 3], []]), []);
	t.deepEqual(loops([[1], [2], [1, 3], []], [0, 2]), []);
	t.deepEqual(loops([[1, 2], [2], [1, 3], [0]]), []);
	t.deepEqual(loops([[1], [2], [1], [3]], [0, 3]), [
		[1, 2],
		[3, 3],
	]);
});
