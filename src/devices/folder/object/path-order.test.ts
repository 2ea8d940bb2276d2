// Calls of an object that answers when a test says so: which of them are under way beside each other.
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import type {FolderObject} from './folder-object.ts';
import {objectCalls} from './object-calls.ts';

const {signal} = new AbortController();
const directory = {mode: 0o040755, size: 0};

/** An object whose calls of some methods are held, and what of it has been called. */
function heldObject(...held: readonly string[]) {
	const called: string[] = [];
	const waiting: (() => void)[] = [];
	const method =
		(name: string, answer: unknown = undefined) =>
		async (...paths: unknown[]) => {
			called.push([name, ...paths.filter((path) => typeof path === 'string')].join(' '));
			if (held.includes(name)) await new Promise<void>((resolve) => waiting.push(resolve));
			return answer;
		};
	const object = {
		lstat: async (path: string) => {
			await method('lstat')(path);
			return path.endsWith('f') ? {mode: 0o100644, size: 1} : directory;
		},
		readdir: method('readdir', []),
		truncate: method('truncate'),
		chmod: method('chmod'),
		rename: method('rename'),
		symlink: method('symlink'),
		unlink: method('unlink'),
	} as unknown as FolderObject;
	const letGo = async () => {
		waiting.shift()?.();
		await rest();
	};
	return {object, called, letGo};
}

/** Gives what is not to happen the time to. */
async function rest(): Promise<void> {
	for (let turn = 0; turn < 20; turn++) await setImmediate();
}

const truncate = {file: undefined, path: '/d/f', length: 0};
const rename = {path: '/d', to: '/e'};
const symlink = {path: '/d', target: '/etc'};

test('between a look at a path and the call no link comes there, by whichever device', async (t) => {
	const {object, called, letGo} = heldObject('lstat', 'truncate');
	const [calls, others] = [objectCalls(object), objectCalls(object)];
	const truncated = calls['truncate']?.(truncate, signal);
	const [renamed, linked] = [calls['rename']?.(rename, signal), others['symlink']?.(symlink, signal)];
	await rest();
	t.deepEqual(called, ['lstat /d']);
	await letGo();
	t.deepEqual(called.slice(1), ['lstat /d/f']);
	await letGo();
	t.deepEqual(called.slice(2), ['truncate /d/f']);
	await letGo();
	await Promise.all([truncated, renamed, linked]);
	t.deepEqual(called.slice(3), ['rename /d /e', 'symlink /etc /d']);
});

test('what puts no link anywhere is done beside each other, and what waits longest comes first', async (t) => {
	const {object, called, letGo} = heldObject('chmod', 'rename');
	const calls = objectCalls(object);
	const all = ['/a', '/b'].map((path) => calls['chmod']?.({path, mode: 0}, signal));
	await rest();
	t.deepEqual(called, ['lstat /a', 'lstat /b', 'chmod /a', 'chmod /b']);
	all.push(calls['rename']?.(rename, signal), calls['unlink']?.({path: '/f'}, signal));
	await letGo();
	t.is(called.length, 4, 'one of them is under way');
	await letGo();
	t.deepEqual(called.slice(4), ['rename /d /e']);
	await letGo();
	t.deepEqual(called.slice(5), ['unlink /f']);
	await Promise.all(all);
});

test('what nobody waits for any more is not begun, and keeps nobody', async (t) => {
	const {object, called} = heldObject('chmod');
	const calls = objectCalls(object);
	void calls['chmod']?.({path: '/a', mode: 0}, signal);
	await rest();
	const given = new AbortController();
	const renamed = calls['rename']?.(rename, given.signal) as Promise<void>;
	const removed = calls['unlink']?.({path: '/f'}, signal);
	given.abort();
	await t.throwsAsync(renamed, {code: 'ETIMEDOUT'} as never);
	await removed;
	t.deepEqual(called, ['lstat /a', 'chmod /a', 'unlink /f']);
});

test('what fails lets the next one begin', async (t) => {
	const {object} = heldObject();
	const failing = {
		...object,
		rename() {
			throw Object.assign(new Error(), {code: 'EXDEV'});
		},
	} as unknown as FolderObject;
	const calls = objectCalls(failing);
	await t.throwsAsync(calls['rename']?.(rename, signal) as Promise<void>, {code: 'EXDEV'} as never);
	await calls['symlink']?.(symlink, signal);
	await calls['unlink']?.({path: '/f'}, signal);
	t.pass();
});

test('a path has 256 names, of which the last is not looked at', async (t) => {
	const {object, called} = heldObject();
	const calls = objectCalls(object);
	const path = (names: number) => '/d'.repeat(names);
	await calls['unlink']?.({path: path(256)}, signal);
	t.is(called.length, 256);
	await t.throwsAsync(calls['unlink']?.({path: path(257)}, signal) as Promise<void>, {code: 'ENAMETOOLONG'} as never);
	t.is(called.length, 511);
});

test('an object that knows of no links makes none', async (t) => {
	const {object, called} = heldObject();
	const {lstat, ...rest} = object;
	const calls = objectCalls({...rest, stat: () => directory} as FolderObject);
	await t.throwsAsync(calls['symlink']?.(symlink, signal) as Promise<void>, {code: 'EROFS'} as never);
	await calls['unlink']?.({path: '/d/f'}, signal);
	t.deepEqual(called, ['unlink /d/f'], 'nor is its way looked at');
});
