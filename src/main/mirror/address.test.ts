import test from 'ava';
import {below, debianSuites, parseMirror} from './address.ts';

test('a mirror has an address by https, http or file', (t) => {
	t.is(parseMirror('https://example.org/debian').href, 'https://example.org/debian/');
	t.is(parseMirror('file:///srv/mirror/').href, 'file:///srv/mirror/');
	for (const address of ['example.org', '/srv/mirror', 'ftp://example.org/', 'https://example.org/?a', 'http://'])
		t.throws(() => parseMirror(address), {code: 'MIRROR_ADDRESS_INVALID'}, address);
});

test('a path is below its mirror, whatever is in it', (t) => {
	const address = parseMirror('http://example.org/debian');
	t.is(below(address, 'pool/a+b_1:2~3#?%.deb').href, 'http://example.org/debian/pool/a%2Bb_1%3A2~3%23%3F%25.deb');
	for (const path of ['../x', 'pool/../../x', '/etc/passwd', '//evil/x', 'a//b', '.', '', 'a\\b', 'a\nb', 'a/./b'])
		t.throws(() => below(address, path), {code: 'MIRROR_PATH_INVALID'}, path);
});

test('a release of Debian comes with its updates, and one that changes all the time has none', (t) => {
	const suites = (suite: string) => debianSuites(suite, ['main']).map((each) => each.suite);
	t.deepEqual(suites('bookworm'), ['bookworm', 'bookworm-updates', 'bookworm-security']);
	t.deepEqual(suites('sid'), ['sid']);
});
