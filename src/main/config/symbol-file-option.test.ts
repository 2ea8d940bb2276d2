import test from 'ava';
import type {VmmError} from '#support/errors';
import {parseSymbolFile} from './symbol-file-option.ts';

test('--symbols takes a file, and how far its code is from where the file has it', (t) => {
	t.deepEqual(parseSymbolFile('vmlinux', '--symbols'), {path: 'vmlinux'});
	t.deepEqual(parseSymbolFile('a,offset=0x55555555', '--symbols'), {path: 'a', offset: 0x5555_5555n});
	t.deepEqual(parseSymbolFile('a,offset=4096', '--symbols'), {path: 'a', offset: 4096n});
});

for (const wrong of [
	'',
	',offset=1',
	'a,offset=',
	'a,offset=-1',
	'a,offset=0x',
	'a,offset=0x10000000000000000',
	'a,',
]) {
	test(`--symbols "${wrong}" is refused`, (t) => {
		const error = t.throws(() => parseSymbolFile(wrong, '--symbols')) as VmmError;
		t.regex(error.code, /^CONFIG_/);
	});
}
