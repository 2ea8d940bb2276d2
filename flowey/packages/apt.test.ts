import test from 'ava';
import {parseShow} from './apt.ts';

test('of alternative dependencies the first counts, without versions', (t) => {
	const text =
		'Package: linux-image-cloud-amd64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0 (= 6.1) | other, kmod:any\n';

	t.deepEqual(parseShow(text), {
		name: 'linux-image-cloud-amd64',
		version: '6.1.192-2',
		depends: ['linux-image-6.1.0', 'kmod'],
	});
});

test('a package without dependencies has none, and no output is no package', (t) => {
	t.deepEqual(parseShow('Package: busybox-static\nVersion: 1:1.35\n')?.depends, []);
	t.is(parseShow(''), undefined);
});
