import test from 'ava';
import {parseGdb} from './gdb-option.ts';

const tcp = (host: string, port: number) => ({kind: 'tcp', host, port}) as const;

test('--gdb takes a port, an address and a port, or a path', (t) => {
	t.deepEqual(parseGdb('2345', '--gdb'), tcp('127.0.0.1', 2345));
	t.deepEqual(parseGdb('0.0.0.0:1', '--gdb'), tcp('0.0.0.0', 1));
	t.deepEqual(parseGdb('[::1]:0', '--gdb'), tcp('::1', 0));
	t.deepEqual(parseGdb('unix:/tmp/a:b', '--gdb'), {kind: 'unix', path: '/tmp/a:b'});
});

for (const wrong of ['', 'x', ':1', 'unix:', '1.2.3.400:1', 'host:1', '::1:1', '[::1]', '-1', '1.5']) {
	test(`--gdb ${wrong} is refused`, (t) => {
		t.throws(() => parseGdb(wrong, '--gdb'), {code: 'CONFIG_VALUE_INVALID'});
	});
}

test('a port above 65535 is out of range', (t) => {
	t.throws(() => parseGdb('65536', '--gdb'), {code: 'CONFIG_NUMBER_RANGE'});
});
