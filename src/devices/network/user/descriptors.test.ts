import {once} from 'node:events';
import {readdirSync} from 'node:fs';
import {type AddressInfo, connect, createServer} from 'node:net';
import test from 'ava';
import {close, connectTcp, Errno, inetAddress} from '#support/ffi';
import {Descriptors} from './descriptors.ts';
import type {Guest} from './guest.ts';
import {Chunks} from './tcp/chunks.ts';
import {Gather} from './tcp/gather.ts';
import {HostSocket} from './tcp/host-socket.ts';
import {query, rcode} from './testing/dns-messages.ts';
import {RST, SYN} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {ManualClock} from './testing/manual-clock.ts';
import {tcpServer} from './testing/tcp-server.ts';
import {TestGuest} from './testing/test-guest.ts';
import {udpServer} from './testing/udp-server.ts';

/** A process with such a limit, and with so many open by others. */
function limited(limit: number, open: number) {
	const files = {limit, open};
	const time = {ms: 0};
	const descriptors = new Descriptors(
		() => files,
		() => time.ms,
	);
	const takeAll = () => {
		let count = 0;
		while (descriptors.take()) count++;
		return count;
	};
	return {files, time, descriptors, takeAll};
}

test('a process keeps a part of its descriptors, and guests get what is left bit by bit', (t) => {
	const {files, time, descriptors, takeAll} = limited(256, 32);
	t.is(descriptors.most, 192);
	t.is(takeAll(), 10, 'others may look at the same time');
	t.is(takeAll(), 0, 'what was begun is not there yet');
	for (files.open += 10; files.open < 192; files.open += takeAll()) time.ms += 10;
	t.is(files.open, 192, 'no more than that');
	time.ms += 1000;
	t.is(takeAll(), 0);
	files.open = 300;
	time.ms += 1000;
	t.is(takeAll(), 0, 'a limit that somebody has lowered');
	files.open = 100;
	time.ms += 10;
	t.is(takeAll(), 6, 'some have been closed');
});

test('a look is soon too old', (t) => {
	const {files, time, descriptors, takeAll} = limited(1_000_000, 100);
	t.true(descriptors.take());
	files.open = 999_900;
	time.ms += 1000;
	t.is(takeAll(), 0);
	t.true(limited(Number.POSITIVE_INFINITY, 0).descriptors.take(), 'no limit that one knows of');
});

test('the process is looked at, and where it has none left a guest opens nothing, and asks again', async (t) => {
	const server = await tcpServer(t);
	const listener = await udpServer(t, () => undefined);
	const open = readdirSync('/proc/self/fd').length;
	const files = {limit: open + 20_000, open};
	const time = {ms: 0};
	const descriptors = new Descriptors(
		() => files,
		() => time.ms,
	);
	const {network} = makeNetwork({descriptors});
	const guest = new TestGuest(network);
	const ends = {sourcePort: 4000, port: server.port, sequence: 99, flags: SYN};
	files.open = files.limit;
	guest.tcp('127.0.0.1', ends);
	guest.udp('127.0.0.1', 4000, listener.port, 'x');
	await new Promise(setImmediate);
	t.like(guest.endpoint, {counters: {tableFull: 2, udpFlows: 0}} as object);
	t.is(guest.frames.length, 0, 'no reset: it is to ask again');
	files.open = open;
	time.ms += 10;
	guest.tcp('127.0.0.1', ends);
	t.is((await guest.nextTcp(4000)).flags & RST, 0);
	guest.udp('127.0.0.1', 4000, listener.port, 'x');
	await once(listener.socket, 'message');
	guest.endpoint.dispose();
	t.true(new Descriptors().take(), 'the process of this test has some');
});

test('a guest that sends from everywhere leaves descriptors to connections', async (t) => {
	const listener = await udpServer(t, () => undefined);
	let nowMs = 0;
	const descriptors = new Descriptors(
		() => ({limit: 256, open: 0}),
		() => (nowMs += 10),
	);
	const guest = new TestGuest(makeNetwork({descriptors}).network);
	for (let port = 1; port <= 100; port++) {
		guest.udp('127.0.0.1', port, listener.port, 'x');
		await new Promise(setImmediate);
	}
	const {counters} = guest.endpoint as unknown as {counters: {udpFlows: number}};
	t.is(counters.udpFlows, 48);
	guest.endpoint.dispose();
});

test.serial('a network that has taken most of the process leaves some to those that come later', async (t) => {
	const server = await tcpServer(t);
	const guests: TestGuest[] = [];
	const openOf = ({endpoint}: TestGuest) =>
		(endpoint as unknown as Guest).connections.all.filter(({phase}) => phase !== 'connecting').length;
	let nowMs = 0;
	/** A network of a process with room for 192 sockets of guests, all of which are looked at. */
	const join = () => {
		const descriptors = new Descriptors(
			() => ({limit: 256, open: guests.reduce((sum, guest) => sum + openOf(guest), 0)}),
			() => (nowMs += 10),
		);
		const guest = new TestGuest(makeNetwork({descriptors}).network);
		guests.push(guest);
		t.teardown(() => guest.endpoint.dispose());
		return guest;
	};
	/** Opens connections until there is no room for three in turn. */
	const fill = async (guest: TestGuest) => {
		const {counters} = guest.endpoint as unknown as {counters: {tableFull: number}};
		const full = counters.tableFull;
		for (let port = 1; port < 1000 && counters.tableFull < full + 3; port++) {
			guest.tcp('127.0.0.1', {sourcePort: port, port: server.port, sequence: 99, flags: SYN});
			await new Promise(setImmediate);
		}
		return openOf(guest);
	};
	const first = join();
	t.is(await fill(first), 144, 'three quarters of what guests may have');
	const second = join();
	second.tcp('127.0.0.1', {sourcePort: 4000, port: server.port, sequence: 99, flags: SYN});
	t.is((await second.nextTcp(4000)).flags & RST, 0);
	t.is((await fill(second)) + openOf(first), 192, 'the rest');
	first.endpoint.dispose();
	t.is(await fill(second), 144);
});

test('where there are none left the network asks no resolver, and who comes from the host is sent away', async (t) => {
	const listener = await udpServer(t, () => undefined);
	const descriptors = new Descriptors(() => ({limit: 256, open: 256}));
	const {network} = makeNetwork({descriptors, nameservers: [`127.0.0.1:${listener.port}`]});
	const guest = new TestGuest(network);
	guest.udp('10.0.0.1', 5000, 53, query('example.com'));
	t.is(rcode((await guest.nextUdp(5000)).data), 2, 'SERVFAIL');
	const forward = await guest.endpoint.forward({protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 80});
	const client = connect({host: '127.0.0.1', port: forward.port});
	t.teardown(() => client.destroy());
	client.resume().on('error', () => {});
	await once(client, 'close');
	t.is(guest.frames.length, 0, 'the guest hears nothing of it');
	forward.close();
	guest.endpoint.dispose();
});

/** Has the host refuse to wait for one more descriptor, as epoll_ctl(2) does (ENOSPC, ENOMEM). @returns how often that was asked for */
function refuseWatches(clock: ManualClock): () => number {
	let refused = 0;
	clock.watch = () => {
		refused++;
		throw new Error('no space left on device');
	};
	return () => refused;
}

const openNow = () => readdirSync('/proc/self/fd').length;

test.serial('a connection that the host cannot wait for fails, and its descriptor is closed', async (t) => {
	const server = createServer().listen({port: 0, host: '127.0.0.1', backlog: 1});
	t.teardown(() => server.close());
	await once(server, 'listening');
	const address = inetAddress(Uint8Array.of(127, 0, 0, 1), (server.address() as AddressInfo).port);
	// Nobody accepts before this thread's next turn: with a full backlog a connection is not there at once.
	const others: number[] = [];
	for (let isFull = false; !isFull && others.length < 16; ) {
		const begun = connectTcp(address);
		if (typeof begun === 'number') break;
		others.push(begun.fd);
		isFull = !begun.isConnected;
	}
	t.teardown(() => others.forEach(close));
	const clock = new ManualClock();
	const refused = refuseWatches(clock);
	const before = openNow();
	const failures: number[] = [];
	let connections = 0;
	HostSocket.connect(
		address,
		{clock, chunks: new Chunks(), gather: new Gather()},
		{connected: () => connections++, failed: (errno) => failures.push(errno)},
	);
	t.is(openNow(), before + 1);
	t.deepEqual([refused(), connections, failures], [1, 0, []], 'whoever asks is not told from within');
	await new Promise<void>(queueMicrotask);
	t.deepEqual([connections, failures], [0, [-Errno.ENOMEM]]);
	t.is(openNow(), before);
});

test.serial('a connection that stands and cannot be waited for is reset, and one of UDP is none', async (t) => {
	const [server, listener] = [await tcpServer(t), await udpServer(t, () => undefined)];
	const {network, clock} = makeNetwork({ipv6: false});
	const guest = new TestGuest(network);
	const refused = refuseWatches(clock);
	const before = openNow();
	guest.udp('127.0.0.1', 4000, listener.port, 'x');
	t.deepEqual([refused(), openNow()], [1, before]);
	t.like(guest.endpoint, {counters: {udpFlows: 0, udpOpened: 0}} as object);
	guest.tcp('127.0.0.1', {sourcePort: 4000, port: server.port, sequence: 99, flags: SYN});
	t.truthy(await guest.nextTcp(4000, ({flags}) => (flags & RST) !== 0));
	t.is(refused(), 2);
	(await server.accepted()).destroy();
	while (openNow() > before) await new Promise(setImmediate);
	t.is((guest.endpoint as unknown as {connections: {size: number}}).connections.size, 0);
	guest.endpoint.dispose();
});
