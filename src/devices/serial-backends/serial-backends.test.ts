import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import {type AddressInfo, createConnection, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {serial16550} from '#devices/chipset/serial-16550';
import {DeviceUnderTest, FakeReactor} from '#devices/testing';
import {close, Errno, O, open as openFile, read} from '#support/ffi';
import {createSerialBackend, type SerialBack, type SerialBackendConfig} from './index.ts';

const base = 0x3f8;
const LSR = base + 5;
const MSR = base + 6;

const folder = () => mkdtempSync(join(tmpdir(), 'serial-'));

function start(backend: SerialBackendConfig) {
	const uart = new DeviceUnderTest(serial16550, {base, irq: 4, backend});
	return {uart, back: uart.startBack() as SerialBack};
}
type Uart = ReturnType<typeof start>['uart'];

/** One whose host side is in a file system. */
async function open(backend: SerialBackendConfig) {
	const started = start(backend);
	await started.back.open();
	return started;
}

/** Sends as a driver does: up to sixteen bytes whenever THRE is up. Returns how much went out. */
function send(uart: Uart, text: string): number {
	let sent = 0;
	while (sent < text.length && (uart.in(LSR) & 0x20) !== 0) {
		for (let burst = 0; burst < 16 && sent < text.length; burst++) uart.out(base, text.charCodeAt(sent++));
	}
	return sent;
}

function receive(uart: Uart): string {
	let text = '';
	while ((uart.in(LSR) & 1) !== 0) text += String.fromCharCode(uart.in(base));
	return text;
}

/** Turns the reactor and the event loop until the condition holds. */
async function until(uart: Uart, condition: () => boolean, turns = 100_000): Promise<boolean> {
	for (let turn = 0; turn < turns && !condition(); turn++) {
		uart.reactor.turn();
		await setImmediate();
	}
	return condition();
}

/** Receives `length` characters, or what comes in the time that `until` gives. */
async function receiveAll(uart: Uart, length: number): Promise<string> {
	let text = '';
	await until(uart, () => {
		text += receive(uart);
		return text.length >= length;
	});
	return text;
}

/** A client that keeps what it receives. */
function connect(target: {path: string} | {host: string; port: number}) {
	const socket: Socket = createConnection(target as {path: string});
	const client = {socket, text: ''};
	socket.setEncoding('latin1').on('data', (data) => (client.text += data));
	return client;
}

/** A FIFO opened for both ends: the reader without waiting, the writer as a shell would hand it over. */
function fifo() {
	const path = join(folder(), 'fifo');
	execFileSync('mkfifo', [path]);
	const reader = openFile(path, O.RDONLY | O.NONBLOCK);
	return {path, reader, writer: openFile(path, O.WRONLY)};
}

function readAll(fd: number): string {
	const buffer = new Uint8Array(65_536);
	let text = '';
	for (let count = read(fd, buffer); count > 0; count = read(fd, buffer)) {
		text += Buffer.from(buffer.subarray(0, count)).toString('latin1');
	}
	return text;
}

const openFlags = (fd: number) =>
	Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);

const create = (config: SerialBackendConfig) =>
	createSerialBackend(config, new FakeReactor(), {changed() {}, refused() {}});
/** Fails at once. */
const error = (config: SerialBackendConfig) => () => create(config);
/** Fails when the file system has answered. */
const failure = (config: SerialBackendConfig) => create(config).ready as Promise<void>;

test('a file is emptied when it is opened, as by OpenVMM', async (t) => {
	const path = join(folder(), 'log');
	writeFileSync(path, 'from an earlier run, and longer');
	const {uart, back} = await open({kind: 'file', path});
	send(uart, 'new');
	await uart.stopBack();
	await back.dispose();
	t.is(readFileSync(path, 'utf8'), 'new');
});

test('output that the host refuses is counted with the reason, and the guest goes on', async (t) => {
	const {uart} = await open({kind: 'file', path: '/dev/full'});
	t.is(send(uart, 'lost'), 4);
	t.true(await until(uart, () => uart.state.txDiscarded === 4));
	t.is(uart.state.hostErrno, Errno.ENOSPC);
	t.is(uart.in(LSR) & 0x60, 0x60);
});

test('a slow reader holds the guest back and gets every byte', async (t) => {
	const path = join(folder(), 'socket');
	const {uart, back} = await open({kind: 'listen-unix', path});
	const client = connect({path});
	t.true(await until(uart, () => uart.state.connected === 1));
	client.socket.pause();
	const text = 'The quick brown fox jumps over the lazy dog.\n'.repeat(20_000);
	let sent = 0;
	for (let turn = 0; turn < 50; turn++) {
		sent += send(uart, text.slice(sent));
		uart.reactor.turn();
	}
	t.true(sent < text.length, 'the guest had to wait');
	client.socket.resume();
	const whole = await until(uart, () => {
		sent += send(uart, text.slice(sent));
		return client.text.length === text.length;
	});
	t.true(whole);
	t.is(client.text, text);
	t.is(uart.state.txDropped + uart.state.txDiscarded, 0);
	client.socket.destroy();
	back.dispose();
});

test('output without a client is discarded and counted; the next client gets what follows', async (t) => {
	const path = join(folder(), 'socket');
	const {uart, back} = await open({kind: 'listen-unix', path});
	send(uart, 'nobody hears');
	uart.reactor.turn();
	t.is(uart.state.txDiscarded, 12);
	t.is(uart.in(MSR) & 0xf0, 0);
	const first = connect({path});
	t.true(await until(uart, () => uart.state.connected === 1));
	t.is(uart.in(MSR), 0xbb, 'the modem lines rise');
	const second = connect({path});
	send(uart, 'one');
	t.true(await until(uart, () => first.text === 'one'));
	t.is(second.text, '', 'the second waits its turn');
	first.socket.destroy();
	t.true(await until(uart, () => uart.state.connected === 0));
	t.true(await until(uart, () => uart.state.connected === 1));
	send(uart, 'two');
	t.true(await until(uart, () => second.text === 'two'));
	second.socket.destroy();
	await back.dispose();
	t.false(existsSync(path), 'the socket is removed');
});

test('a client that dies in the middle of a flood neither stops the guest nor the port', async (t) => {
	const path = join(folder(), 'socket');
	const {uart, back} = await open({kind: 'listen-unix', path});
	const client = connect({path});
	t.true(await until(uart, () => uart.state.connected === 1));
	client.socket.pause();
	for (let turn = 0; turn < 50; turn++) {
		send(uart, '.'.repeat(100_000));
		uart.reactor.turn();
	}
	t.is(uart.in(LSR) & 0x20, 0);
	client.socket.destroy();
	t.true(await until(uart, () => uart.state.connected === 0));
	t.is(uart.in(LSR) & 0x60, 0x60);
	back.dispose();
});

test('a TCP client is served both ways', async (t) => {
	const probe = createServer().listen(0, '127.0.0.1');
	await new Promise((resolve) => probe.once('listening', resolve));
	const {port} = probe.address() as AddressInfo;
	await new Promise((resolve) => probe.close(resolve));
	const {uart, back} = start({kind: 'listen-tcp', host: '127.0.0.1', port});
	const client = connect({host: '127.0.0.1', port});
	client.socket.write('ls\n');
	t.is(await receiveAll(uart, 3), 'ls\n');
	send(uart, 'bin\n');
	t.true(await until(uart, () => client.text === 'bin\n'));
	client.socket.destroy();
	back.dispose();
});

test('a sender waits while the guest does not read, and nothing is lost', async (t) => {
	const path = join(folder(), 'socket');
	const {uart, back} = await open({kind: 'listen-unix', path});
	const client = connect({path});
	const text = Array.from({length: 100_000}, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
	client.socket.end(text);
	t.true(await until(uart, () => uart.state.inputWaiting === 1));
	t.is([...uart.reactor.watches].filter(({readable}) => readable).length, 0, 'a full port asks the host for nothing');
	t.is(await receiveAll(uart, text.length), text);
	back.dispose();
});

test('bytes sent within a millisecond leave together', (t) => {
	const {reader, writer} = fifo();
	const {uart, back} = start({kind: 'console', outputFd: writer});
	uart.reactor.turn(0);
	send(uart, 'a');
	uart.reactor.turn(0);
	send(uart, 'b');
	uart.reactor.turn(9e5);
	t.is(readAll(reader), '');
	t.is(uart.notifications, 1, 'the second byte wakes nobody');
	uart.reactor.turn(1e5);
	t.is(readAll(reader), 'ab');
	back.dispose();
	for (const fd of [reader, writer]) close(fd);
});

test('console output goes to the descriptor without changing its blocking mode for others', (t) => {
	const {reader, writer} = fifo();
	const {uart, back} = start({kind: 'console', outputFd: writer});
	send(uart, 'login: ');
	uart.reactor.turn();
	t.is(readAll(reader), 'login: ');
	t.is(openFlags(writer) & O.NONBLOCK, 0);
	t.is(back.feed(new TextEncoder().encode('root\n')), 5);
	t.is(receive(uart), 'root\n');
	back.dispose();
	for (const fd of [reader, writer]) close(fd);
});

test('console input can come from a descriptor, and its end is not the end of output', (t) => {
	const [input, output] = [fifo(), fifo()];
	writeFileSync(input.path, 'typed\n');
	const {uart, back} = start({kind: 'console', outputFd: output.writer, inputFd: input.reader});
	uart.reactor.turn();
	t.is(receive(uart), 'typed\n');
	close(input.writer);
	uart.reactor.turn();
	send(uart, 'still here');
	uart.reactor.turn();
	t.is(readAll(output.reader), 'still here');
	t.is(uart.state.connected, 1);
	back.dispose();
	for (const fd of [input.reader, output.reader, output.writer]) close(fd);
});

test('a reader of the console that goes away is a disconnection', (t) => {
	const {reader, writer} = fifo();
	const {uart, back} = start({kind: 'console', outputFd: writer});
	close(reader);
	send(uart, 'into the void');
	uart.reactor.turn();
	t.is(uart.state.connected, 0);
	t.is(uart.state.txDiscarded, 13);
	t.is(send(uart, 'more'), 4);
	back.dispose();
	close(writer);
});

test('stop waits for a reader that moves, gives up on one that does not, and keeps what is left', async (t) => {
	const {reader, writer} = fifo();
	const {uart, back} = start({kind: 'console', outputFd: writer});
	const text = 'x'.repeat(200_000);
	let sent = 0;
	for (let turn = 0; turn < 10; turn++) {
		sent += send(uart, text.slice(sent));
		uart.reactor.turn();
	}
	let stopped = false;
	const stopping = back.stop().then(() => (stopped = true));
	uart.reactor.turn();
	await setImmediate();
	t.false(stopped);
	uart.reactor.turn(2e9);
	await stopping;
	let received = readAll(reader).length;
	back.start();
	for (let turn = 0; turn < 10; turn++) {
		uart.reactor.turn();
		received += readAll(reader).length;
	}
	t.is(received, sent);
	back.dispose();
	for (const fd of [reader, writer]) close(fd);
});

test('a host side that cannot be set up is an error that names it', async (t) => {
	const there = join(folder(), 'file');
	writeFileSync(there, 'kept');
	await t.throwsAsync(failure({kind: 'file', path: '/nowhere/log'}), {
		code: 'SERIAL_FILE_UNUSABLE',
		message: /\/nowhere\/log.*ENOENT/,
	});
	await t.throwsAsync(failure({kind: 'file', path: '/'}), {code: 'SERIAL_FILE_UNUSABLE', message: /EISDIR/});
	t.throws(error({kind: 'console', outputFd: 9999}), {code: 'SERIAL_DESCRIPTOR_UNUSABLE', message: /9999.*EBADF/});
	await t.throwsAsync(failure({kind: 'listen-unix', path: there}), {
		code: 'SERIAL_LISTEN_FAILED',
		message: /EADDRINUSE/,
	});
	t.is(readFileSync(there, 'utf8'), 'kept', 'only a socket is replaced');
	t.throws(error({kind: 'listen-unix', path: `/tmp/${'x'.repeat(120)}`}), {code: 'SERIAL_SOCKET_PATH_TOO_LONG'});
	t.throws(error({kind: 'listen-tcp', host: 'localhost', port: 1}), {code: 'SERIAL_ADDRESS_INVALID'});
	t.throws(error({kind: 'listen-tcp', host: '127.0.0.1', port: 70_000}), {code: 'SERIAL_ADDRESS_INVALID'});
	t.throws(error({kind: 'listen-tcp', host: '192.0.2.1', port: 4555}), {
		code: 'SERIAL_LISTEN_FAILED',
		message: /EADDRNOTAVAIL/,
	});
});
