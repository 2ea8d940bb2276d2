import test from 'ava';
import type {FolderFile, FolderObject} from './folder-object.ts';
import {objectCalls} from './object-calls.ts';

const {signal} = new AbortController();
const object: FolderObject = {
	lstat: (path) => ({mode: path === '/' ? 0o040755 : 0o100644, size: 1}),
	readdir: () => ['f'],
};

test('a file that nobody waits for any more when it is open is closed', async (t) => {
	const opened = Promise.withResolvers<FolderFile>();
	const begun = Promise.withResolvers<void>();
	let closed = 0;
	const calls = objectCalls({
		...object,
		open() {
			begun.resolve();
			return opened.promise;
		},
	});
	const given = new AbortController();
	const asked = calls['open']?.({path: '/f', flags: 0, mode: 0}, given.signal) as Promise<number>;
	await begun.promise;
	given.abort();
	opened.resolve({read: () => ({bytesRead: 0}), close: () => void closed++});
	await t.throwsAsync(asked, {code: 'ETIMEDOUT'} as never);
	t.is(closed, 1);
	const kept = await calls['open']?.({path: '/f', flags: 0, mode: 0}, signal);
	t.is(closed, 1);
	await calls['close']?.({file: kept}, signal);
	t.is(closed, 2);
});

test('an open file that cannot be cut by itself is cut by its path alone, and not at all without', async (t) => {
	const called: string[] = [];
	const truncate = (path: string) => void called.push(path);
	const calls = objectCalls({...object, truncate, open: () => ({read: () => ({bytesRead: 0})})});
	const file = await calls['open']?.({path: '/f', flags: 0, mode: 0}, signal);
	await calls['truncate']?.({file, path: '/f', length: 0}, signal);
	const nowhere = {file, path: undefined, length: 0};
	await t.throwsAsync(calls['truncate']?.(nowhere, signal) as Promise<void>, {code: 'ESTALE'} as never);
	t.deepEqual(called, ['/f']);
});
