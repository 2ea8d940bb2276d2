import test from 'ava';
import {parseIncubatorWords, parseMib} from './incubator.ts';

test('the command follows two dashes and keeps its own flags', (t) => {
	t.deepEqual(parseIncubatorWords(['--smp', '2', '--memory=512M', '--', 'ls', '--smp', '--', '-l']), {
		processors: 2,
		memoryMib: 512,
		timeoutMs: 30 * 60_000,
		terminal: false,
		argv: ['ls', '--smp', '--', '-l'],
	});
});

test('the command may follow without dashes', (t) => {
	t.deepEqual(parseIncubatorWords(['--terminal', '--minutes', '1', 'sh', '-c', 'true']).argv, ['sh', '-c', 'true']);
});

test('a missing command and impossible numbers are refused with a remedy', (t) => {
	t.throws(() => parseIncubatorWords(['--smp', '2']), {message: 'No command to run'});
	t.throws(() => parseIncubatorWords(['--smp', '0', 'ls']), {message: '--smp 0 is not a positive number'});
	t.throws(() => parseMib('4T'), {message: '--memory 4T is not a size'});
});

test('sizes are in MiB', (t) => {
	t.is(parseMib('512M'), 512);
	t.is(parseMib('4G'), 4096);
});
