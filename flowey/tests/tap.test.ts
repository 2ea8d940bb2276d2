import test from 'ava';
import {TapReader, type TestOutcome} from './tap.ts';

const RUN = `TAP version 13
ok 1 - boots
ok 2 - later # SKIP
ok 3 - some day # TODO
not ok 4 - reads a disk
  ---
    name: AssertionError
    values:
      'Difference (- actual, + expected):': |-
        - 1
        + 2
  ...
# a comment
ok 5 - ok 6 - a title like a result
1..5
`;

function read(pieces: readonly string[]) {
	const outcomes: TestOutcome[] = [];
	const reader = new TapReader((outcome) => outcomes.push(outcome));
	for (const piece of pieces) {
		reader.push(piece);
	}
	return {counts: reader.end(), outcomes};
}

test('passed, failed and skipped tests are counted', (t) => {
	t.deepEqual(read([RUN]).counts, {passed: 2, failed: 1, skipped: 2});
});

test('the same counts come out however the text is cut', (t) => {
	t.deepEqual(read([...RUN]), read([RUN]));
});

test('a failure comes with what the reporter says about it', (t) => {
	const failure = read([RUN]).outcomes.find(({outcome}) => outcome === 'failed');

	t.is(failure?.title, 'reads a disk');
	t.deepEqual(failure?.details.at(-1), '        + 2');
});

test('a failure comes with what its test has logged, which passed tests do not keep', (t) => {
	const logged = 'ok 1 - a\n#   nothing\nnot ok 2 - b\n#   COM1:\n#     panic\n  ---\n    name: Error\n  ...\n';
	t.deepEqual(read([logged]).outcomes.at(-1)?.details, ['#   COM1:', '#     panic', '    name: Error']);
});

test('a failure at the very end of a broken-off run is not lost', (t) => {
	t.deepEqual(read(['not ok 1 - dies']).outcomes, [{title: 'dies', outcome: 'failed', details: []}]);
});
