import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {allocateSharedPages} from '#support/shared-memory';
import {
	accept,
	addressOf,
	blockSignal,
	close,
	drainEventfd,
	Epoll,
	EpollSet,
	Errno,
	errnoName,
	eventfd,
	fillRandom,
	gettid,
	listenTcp,
	listenUnix,
	Mmap,
	mapOver,
	memfdCreate,
	monotonicNs,
	O,
	open,
	read,
	signalConsumer,
	signalEventfd,
	signalThread,
	truncate,
	write,
} from './index.ts';

test('a failing call returns the negated errno', (t) => {
	t.is(open('/nonexistent/file', O.RDONLY), -Errno.ENOENT);
	t.is(errnoName(-Errno.ENOENT), 'ENOENT');
	t.is(read(-1, new Uint8Array(1)), -Errno.EBADF);
});

test('all of an array is filled with random bytes, and nothing beside it', (t) => {
	const bytes = new Uint8Array(1200);
	fillRandom(bytes.subarray(100, 1100));
	t.deepEqual([bytes.subarray(0, 100), bytes.subarray(1100)], [new Uint8Array(100), new Uint8Array(100)]);
	for (let at = 100; at < 1100; at += 100) t.true(bytes.subarray(at, at + 100).some((byte) => byte !== 0));
	const numbers = new BigUint64Array(2);
	fillRandom(numbers);
	t.not(numbers[0], numbers[1]);
});

test('the monotonic clock is the one that Node has, in whole nanoseconds', (t) => {
	for (let look = 0; look < 100; look++) {
		const before = Number(process.hrtime.bigint());
		const now = monotonicNs();
		const after = Number(process.hrtime.bigint());
		t.true(Number.isInteger(now));
		t.true(now >= before && now <= after, `${now - before}`);
	}
});

test('epoll reports a signalled eventfd with its token, and draining silences it', (t) => {
	const fd = eventfd();
	const set = new EpollSet(4);
	t.is(set.control(Epoll.ADD, fd, Epoll.IN, 77), 0);
	t.is(set.wait(0), 0);
	signalEventfd(fd);
	t.is(set.wait(1000), 1);
	t.is(set.readyToken(0), 77);
	t.is(set.readyEvents(0), Epoll.IN);
	t.true(drainEventfd(fd, new Uint8Array(8)));
	t.is(set.wait(0), 0);
	close(fd);
	close(set.fd);
});

test('a memfd mapped over a shared WebAssembly memory is the buffer', (t) => {
	const buffer = allocateSharedPages(131072);
	const fd = memfdCreate('openvmm-test', 1);
	t.is(truncate(fd, 65536), 0);
	const flags = Mmap.SHARED;
	t.is(mapOver(addressOf(buffer), 65536, {protection: 3, flags, fd}), 0);
	const view = new Uint8Array(buffer);
	view[5] = 42;
	const back = new Uint8Array(6);
	t.is(read(fd, back), 6);
	t.is(back[5], 42);
	close(fd);
});

test('a blocked signal sent to this thread is taken once', (t) => {
	const signal = 40;
	const consume = signalConsumer(signal);
	blockSignal(signal);
	t.false(consume());
	t.is(signalThread(gettid(), signal), 0);
	t.true(consume());
	t.false(consume());
});

test('a Unix and a TCP listener accept a client and carry bytes', async (t) => {
	const path = join(tmpdir(), `openvmm-ffi-${process.pid}.sock`);
	const port = 20000 + (process.pid % 20000);
	for (const [fd, target] of [
		[await listenUnix(path), {path}],
		[listenTcp('127.0.0.1', port), {port, host: '127.0.0.1'}],
		[listenTcp('::1', port + 1), {port: port + 1, host: '::1'}],
	] as const) {
		t.true(fd >= 0, errnoName(fd));
		t.is(accept(fd), -Errno.EAGAIN);
		const client = createConnection(target);
		await new Promise((resolve) => client.once('connect', resolve));
		const peer = accept(fd);
		t.true(peer >= 0);
		const received = new Promise((resolve) => client.once('data', resolve));
		t.is(write(peer, new TextEncoder().encode('hello')), 5);
		t.is(String(await received), 'hello');
		client.destroy();
		close(peer);
		close(fd);
	}
});
