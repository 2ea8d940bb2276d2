import test from 'ava';
import {moduleFiles} from './module-files.ts';

const list = (text: string, ...existing: readonly string[]) => moduleFiles(text, (path) => existing.includes(path));

test('a list of modules gives each file its name and its words', (t) => {
	t.deepEqual(list('/boot/vmlinuz console=hvc0 ro,/boot/initrd.img'), [
		{path: '/boot/vmlinuz', words: 'console=hvc0 ro'},
		{path: '/boot/initrd.img', words: ''},
	]);
	t.deepEqual(list('a x=1,,2 ,b,,c'), [
		{path: 'a', words: 'x=1,2'},
		{path: 'b,c', words: ''},
	]);
});

test('a path that exists is one file, whatever its name', (t) => {
	t.deepEqual(list('/my files/a,b', '/my files/a,b'), [{path: '/my files/a,b', words: ''}]);
});
