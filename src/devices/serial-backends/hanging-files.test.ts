import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, open as openFile, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {serial16550} from '#devices/chipset/serial-16550';
import {DeviceUnderTest} from '#devices/testing';
import {close, O, open} from '#support/ffi';
import type {SerialBack, SerialBackendConfig} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hanging-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/**
 * Keeps every thread of Node's pool from anything else, as file systems that hang do: each opens a FIFO that nobody writes to.
 * @returns what ends that
 */
function hangPool(): () => Promise<void> {
	const path = join(folder, `fifo-${Math.random()}`);
	execFileSync('mkfifo', [path]);
	const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
	const opened = Array.from({length: threads}, () => {
		const {promise, resolve} = Promise.withResolvers<void>();
		openFile(path, 'r', (_error, fd) => {
			close(fd);
			resolve();
		});
		return promise;
	});
	return async () => {
		const writer = open(path, O.RDWR | O.NONBLOCK);
		await Promise.all(opened);
		close(writer);
	};
}

function make(backend: SerialBackendConfig) {
	const uart = new DeviceUnderTest(serial16550, {base: 0x3f8, irq: 4, backend});
	return {uart, back: uart.startBack() as SerialBack};
}

/** Runs what is ready to go on, on this thread. */
async function pass(): Promise<void> {
	for (let turn = 0; turn < 20; turn++) await setImmediate();
}

for (const [what, config] of [
	['a file', (path: string): SerialBackendConfig => ({kind: 'file', path})],
	['a socket', (path: string): SerialBackendConfig => ({kind: 'listen-unix', path})],
] as const) {
	test.serial(`${what} on a file system that hangs is opened when that comes back, and keeps no thread`, async (t) => {
		const path = join(folder, `open-${what}`);
		const free = hangPool();
		const {uart, back} = make(config(path));
		let isOpen = false;
		const opened = back.open().then(() => {
			isOpen = true;
		});
		uart.out(0x3f8, 0x41);
		uart.reactor.turn();
		await pass();
		t.deepEqual([isOpen, existsSync(path), back.inFlight?.()], [false, false, `opening ${path}`]);
		await free();
		await opened;
		t.true(existsSync(path));
		await back.dispose();
		t.is(existsSync(path), what === 'a file', 'the socket is removed');
	});

	test.serial(`${what} that opens when its port has gone leaves nothing behind`, async (t) => {
		const path = join(folder, `gone-${what}`);
		const free = hangPool();
		const {back} = make(config(path));
		let isOver = false;
		const over = Promise.resolve(back.dispose()).then(() => {
			isOver = true;
		});
		await pass();
		t.deepEqual([isOver, back.inFlight?.()], [false, `opening ${path}`]);
		await free();
		await over;
		t.is(existsSync(path), what === 'a file');
	});
}

test.serial('output waits in the port until its file is open', async (t) => {
	const path = join(folder, 'late');
	const free = hangPool();
	const {uart, back} = make({kind: 'file', path});
	for (const character of 'hello') uart.out(0x3f8, character.charCodeAt(0));
	for (let turn = 0; turn < 5; turn++) uart.reactor.turn();
	await free();
	await back.open();
	await uart.stopBack();
	await back.dispose();
	t.is(execFileSync('cat', [path], {encoding: 'utf8'}), 'hello');
});

test.serial('the socket of an earlier port goes when the file system answers', async (t) => {
	const path = join(folder, 'again');
	const {back: first} = make({kind: 'listen-unix', path});
	await first.open();
	const free = hangPool();
	let isOver = false;
	const over = Promise.resolve(first.dispose()).then(() => {
		isOver = true;
	});
	await pass();
	t.deepEqual([isOver, first.inFlight?.()], [false, `removing ${path}`]);
	await free();
	await over;
	writeFileSync(path, 'a file');
	const {back: second} = make({kind: 'listen-unix', path});
	await t.throwsAsync(second.open(), {code: 'SERIAL_LISTEN_FAILED', message: /EADDRINUSE/});
	t.true(existsSync(path));
});
