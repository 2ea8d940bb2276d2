import test from 'ava';
import {compareVersions} from './versions.ts';

test('versions are in the order of Debian Policy 5.6.12', (t) => {
	const ordered = [
		['1.0~beta1~svn1245', '1.0~beta1', '1.0'],
		['~~', '~~a', '~', '', 'a'],
		['1.9', '1.10', '1.10a', '1.10+b1', '1.10.0'],
		['9', '1:0', '2:0~rc1'],
		['1.0-1', '1.0-1+deb12u1', '1.0-1.1', '1.0-2', '1.0-10'],
		['1-1-1', '1-1-2', '1-2-1'],
		['1.2.3', '1.2.3+dfsg-1'],
		['99999999999999999998', '99999999999999999999'],
	];
	for (const versions of ordered)
		for (const [index, older] of versions.entries())
			for (const newer of versions.slice(index + 1)) {
				t.true(compareVersions(older, newer) < 0, `${older} << ${newer}`);
				t.true(compareVersions(newer, older) > 0, `${newer} >> ${older}`);
			}
});

test('a missing epoch and a missing revision are zero, and zeros before a number do not count', (t) => {
	for (const [a, b] of [
		['1.0', '0:1.0'],
		['1.0', '1.0-0'],
		['1.01', '1.1'],
		['1.', '1.0'],
	] as const)
		t.is(compareVersions(a, b), 0, `${a} = ${b}`);
});
