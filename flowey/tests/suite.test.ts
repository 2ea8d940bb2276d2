import test from 'ava';
import {formatResults, mergeResults} from './suite.ts';

test('the last line has the totals over all suites', (t) => {
	const text = formatResults([
		{suite: 'unit', where: 'host', passed: 10, failed: 0, skipped: 1, why: ''},
		{suite: 'kvm', where: 'nowhere', passed: 0, failed: 2, skipped: 3, why: 'no QEMU'},
	]);

	t.is(text.trimEnd().split('\n').at(-1), '10 passed, 2 failed, 4 skipped');
});

test('each suite has a row that says where it ran and why not', (t) => {
	const text = formatResults([{suite: 'kvm', where: 'nowhere', passed: 0, failed: 0, skipped: 3, why: 'no QEMU'}]);

	t.regex(text, /^kvm +nowhere +0 +0 +3 +no QEMU$/m);
});

test('runs of one suite become one row, with every reason', (t) => {
	const run = {suite: 'kvm', where: 'incubator', passed: 1, failed: 0, skipped: 2, why: ''};

	t.deepEqual(mergeResults([run, {...run, why: 'it died'}, {...run, failed: 1, why: 'hung'}]), {
		...run,
		...{passed: 3, failed: 1, skipped: 6, why: 'it died; hung', failures: []},
	});
});

test('what failed is told once more at the end, of long details their beginning and end', (t) => {
	const details = Array.from({length: 100}, (_, index) => `line ${index}`);
	const failures = [{title: 'a boot', details}];
	const run = {suite: 'kvm', where: 'incubator', passed: 1, failed: 1, skipped: 2, why: ''};
	const text = formatResults([mergeResults([{...run, failures}, run])]);

	t.regex(text, /^FAILED {2}a boot\n +line 0\n/);
	t.regex(text, /line 11\n +\(76 more lines above\)\n +line 88\n/);
	t.regex(text, /line 99\n\nsuite/);
});
