import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {FakeReactor} from '#devices/testing';
import {close, Errno, O, open, read} from '#support/ffi';
import {EpollReactor} from '#support/reactor';
import {ByteRing, ringFields} from '#support/shared-memory';
import {wire} from '#support/wire';
import {FileStream} from './file-stream.ts';
import {SerialPump} from './serial-back.ts';
import {StreamBackend} from './stream-backend.ts';

const pipeBytes = 65_536;
/** More than a pipe holds. */
const text = Array.from({length: 10_000}, (_, line) => `line ${line}\n`).join('');
const bytes = new TextEncoder().encode(text);

/** A file whose writes hang: a FIFO in blocking mode, which takes what a pipe holds until somebody reads. */
function slowFile() {
	const path = join(mkdtempSync(join(tmpdir(), 'stream-')), 'fifo');
	execFileSync('mkfifo', [path]);
	const reader = open(path, O.RDONLY | O.NONBLOCK);
	return {reader, writer: open(path, O.WRONLY)};
}

function drain(fd: number): string {
	const buffer = Buffer.alloc(65_536);
	let received = '';
	for (let count = read(fd, buffer); count > 0; count = read(fd, buffer))
		received += buffer.toString('latin1', 0, count);
	return received;
}

const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`);

test('a timer expires while a file hangs, which gets every byte in order when it moves again', async (t) => {
	const {reader, writer} = slowFile();
	const reactor = new EpollReactor();
	let received = '';
	const stream = new FileStream(writer, true, reactor, {
		changed() {
			t.true(stream.flushed);
			received += drain(reader);
			if (received.length > text.length) return reactor.close();
			t.is(stream.write(Uint8Array.of(0x21)), 1);
			stream.interest(false, true);
		},
		refused: () => t.fail(),
	});
	t.is(stream.write(bytes), bytes.length);
	t.is(stream.write(bytes), 0, 'one buffer at a time');
	stream.interest(false, true);
	// As long as more is left than the pipe holds, the write cannot have ended.
	const look = () => {
		t.false(stream.flushed);
		received += drain(reader);
		if (received.length + pipeBytes < text.length) reactor.after(1e6, look);
	};
	reactor.after(1e6, look);
	await reactor.run();
	t.is(received, `${text}!`);
	stream.dispose();
	while (isOpen(writer)) await setImmediate();
	close(reader);
});

const RingState = wire('ring', ringFields('tx', 131_072));

test('a stop does not wait for a file that hangs, and what is refused afterwards is told at the next start', async (t) => {
	const {reader, writer} = slowFile();
	const reactor = new FakeReactor();
	const output = new ByteRing(RingState, RingState.on(new SharedArrayBuffer(RingState.byteLength)), 'tx');
	for (const byte of bytes) output.push(byte);
	const refused: [number, number][] = [];
	const back = new SerialPump(
		(...[own, owner]) => new StreamBackend(new FileStream(writer, true, own, owner)),
		reactor,
		{
			output,
			sent() {},
			discarded: (...refusal) => refused.push(refusal),
			connection() {},
			inputRoom: () => 0,
			input() {},
		},
	);
	back.start();
	t.is(output.length, 0);
	let hasStopped = false;
	const stopped = back.stop().then(() => (hasStopped = true));
	reactor.turn(0);
	await setImmediate();
	t.false(hasStopped);
	reactor.turn(1e9);
	await stopped;
	// The pipe is full, and the rest of the write has nobody any more.
	close(reader);
	for (let turn = 0; turn < 1000; turn++) {
		reactor.turn(0);
		await setImmediate();
	}
	t.deepEqual(refused, []);
	back.start();
	for (; refused.length === 0; await setImmediate()) reactor.turn(0);
	t.deepEqual(refused, [[bytes.length - pipeBytes, Errno.EPIPE]]);
	back.dispose();
	while (isOpen(writer)) await setImmediate();
});

test('the descriptor of a file that hangs is kept until it moves', async (t) => {
	const {reader, writer} = slowFile();
	const stream = new FileStream(writer, true, new FakeReactor(), {changed() {}, refused() {}});
	stream.write(bytes);
	stream.dispose();
	t.true(isOpen(writer));
	let received = drain(reader);
	for (; isOpen(writer); await setImmediate()) received += drain(reader);
	t.is(received + drain(reader), text);
	close(reader);
});

test('a file is read ahead while somebody wants it, to its end', async (t) => {
	const path = join(mkdtempSync(join(tmpdir(), 'stream-')), 'file');
	writeFileSync(path, text);
	const reactor = new FakeReactor();
	const stream = new FileStream(open(path, O.RDONLY), true, reactor, {
		changed() {
			const count = stream.read(target.subarray(received));
			received += count;
			stream.interest(true, false);
		},
		refused: () => t.fail(),
	});
	const target = new Uint8Array(bytes.length + 1);
	let received = 0;
	stream.interest(true, false);
	for (; received < bytes.length; await setImmediate()) reactor.turn();
	t.deepEqual(target.subarray(0, received), bytes);
	stream.dispose();
});
