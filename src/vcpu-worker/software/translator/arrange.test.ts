import test from 'ava';
import {Random} from '#test/silicon';
import {arrange} from './arrange.ts';

const arranged = (targets: readonly (readonly number[])[], entries: readonly number[] = [0]) => {
	const {order, loops} = arrange(targets, entries);
	return {order, loops: [...loops].sort(([one], [other]) => one - other)};
};

test('a block that goes to itself is a loop, and blocks that go back to the first of them', (t) => {
	t.deepEqual(arranged([[0, 1], []]), {order: [0, 1], loops: [[0, 0]]});
	t.deepEqual(arranged([[1], [2], [1, 3], []]), {order: [0, 1, 2, 3], loops: [[1, 2]]});
});

test('loops are within each other, and nothing else is', (t) => {
	t.deepEqual(arranged([[1], [1, 2], [0, 3], []]).loops, [
		[0, 2],
		[1, 1],
	]);
	// The first one leaves from amid it.
	t.deepEqual(arranged([[1, 3], [2], [0], []]), {order: [0, 1, 2, 3], loops: [[0, 2]]});
	t.deepEqual(arranged([[3, 1], [2], [0], []]), {order: [0, 1, 2, 3], loops: [[0, 2]]});
});

test('a loop begins where code comes to it', (t) => {
	// Its condition is behind its body, as compilers have it.
	t.deepEqual(arranged([[2], [2], [1, 3], []]), {order: [0, 2, 1, 3], loops: [[1, 2]]});
	// Code comes to it at two blocks, of which more go to the second.
	t.deepEqual(arranged([[1, 2], [2], [1, 2, 3], []]), {order: [0, 2, 1, 3], loops: [[1, 2]]});
	t.deepEqual(arranged([[1], [2], [0]], [1]), {order: [1, 2, 0], loops: [[0, 2]]});
});

test('branches back go to the first block of a loop around them, whatever the graph', (t) => {
	const random = new Random(5);
	for (let round = 0; round < 300; round++) {
		random.restart(5, round);
		const count = 1 + random.below(12);
		const targets = Array.from({length: count}, () => Array.from({length: random.below(4)}, () => random.below(count)));
		const {order, loops} = arrange(targets, [random.below(count), 0]);
		t.deepEqual(
			[...order].sort((one, other) => one - other),
			[...targets.keys()],
		);
		const at = new Map(order.map((block, position) => [block, position]));
		for (const [from, list] of targets.entries())
			for (const to of list) {
				const [source, target] = [at.get(from) as number, at.get(to) as number];
				if (target <= source) t.true((loops.get(target) ?? -1) >= source, `round ${round}: ${from} to ${to}`);
			}
		for (const [head, end] of loops)
			for (const [other, otherEnd] of loops)
				t.true(
					other > end || otherEnd < head || (other >= head && otherEnd <= end) || (head >= other && end <= otherEnd),
				);
	}
});
