import test from 'ava';
import {isAtLeastAsSafe} from './http.ts';

const table: readonly (readonly [from: string, to: string, isSafe: boolean])[] = [
	['http://a.test/x', 'http://b.test/y', true],
	['http://a.test/x', 'https://b.test/y', true],
	['https://a.test/x', 'https://b.test/y', true],
	['https://a.test/x', 'http://a.test/x', false],
	['https://a.test/x', 'http://b.test/y', false],
	['http://a.test/x', 'file:///etc/passwd', false],
	['http://a.test/x', 'ftp://b.test/y', false],
	['http://a.test/x', 'data:,x', false],
	['https://a.test/x', 'https://user@b.test/y', false],
	['https://a.test/x', 'https://:word@b.test/y', false],
];
for (const [from, to, isSafe] of table)
	test(`a redirection from ${from} to ${to} is ${isSafe ? 'followed' : 'refused'}`, (t) => {
		t.is(isAtLeastAsSafe(new URL(from), new URL(to)), isSafe);
	});
