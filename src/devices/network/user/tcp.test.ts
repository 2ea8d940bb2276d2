import {once} from 'node:events';
import {connect} from 'node:net';
import {type Duplex, duplexPair} from 'node:stream';
import test, {type ExecutionContext} from 'ava';
import type {Budget} from './budget.ts';
import type {TcpConnections} from './tcp/index.ts';
import {ACK, FIN, mac, RST, SYN, tcpFrame} from './testing/frames.ts';
import {makeNetwork, type NetworkChoices} from './testing/make-network.ts';
import {TcpClient} from './testing/tcp-client.ts';
import {readBytes, tcpServer} from './testing/tcp-server.ts';
import {gatewayMac, TestGuest} from './testing/test-guest.ts';

/** A guest that is connected to a server of the host. */
async function connected(
	t: ExecutionContext,
	{options, mtu, ...choices}: NetworkChoices & {options?: readonly number[]; mtu?: number} = {},
) {
	const server = await tcpServer(t);
	const made = makeNetwork(choices);
	const guest = new TestGuest(made.network, mtu === undefined ? {} : {mtu});
	t.teardown(() => guest.endpoint.dispose());
	const client = new TcpClient(guest, '127.0.0.1', server.port);
	const answer = await client.connect(options);
	return {...made, guest, client, server, answer, host: await server.accepted()};
}

const counters = (guest: TestGuest) =>
	(guest.endpoint as unknown as {counters: Record<string, number>}).counters as Record<string, number>;
/** Lets what is under way on sockets of this process come in. */
const settle = async (rounds = 20) => {
	for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve));
};

test('a SYN is answered with MSS, SACK and window scale; data goes both ways and is acknowledged', async (t) => {
	const {client, host, answer} = await connected(t);
	t.deepEqual([...answer.options], [2, 4, 0x05, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2]);
	t.is(answer.acknowledgment, 0xffff_fff1);
	client.send('over the end of 32 bits');
	t.is((await readBytes(host, 23)).toString(), 'over the end of 32 bits');
	t.is((await client.next()).acknowledgment, client.sequence);
	host.write('and back');
	t.is((await client.take(8)).toString(), 'and back');
});

test('who offers nothing is offered nothing, and has a small window', async (t) => {
	const {client, answer, host} = await connected(t, {options: []});
	t.deepEqual([...answer.options], [2, 4, 0x05, 0xb4]);
	client.window = 1000;
	client.ack();
	host.write(Buffer.alloc(1200, 1));
	const first = await client.next((tcp) => tcp.data.length > 0);
	t.true(first.data.length <= 1000);
	t.is(client.guest.segmentBytes, 536);
});

test('nobody listens: the SYN is refused', async (t) => {
	const {port, close} = await tcpServer(t);
	close();
	const {network} = makeNetwork();
	const client = new TcpClient(new TestGuest(network), '127.0.0.1', port);
	client.syn();
	const answer = await client.next();
	t.is(answer.flags, RST | ACK);
	t.is(answer.acknowledgment, 0xffff_fff1);
});

test('a segment of no connection is reset by what it says, and a reset by nothing', async (t) => {
	const {network} = makeNetwork();
	const client = new TcpClient(new TestGuest(network), '127.0.0.1', 9);
	client.segment(RST);
	client.segment(ACK, {acknowledgment: 77, data: 'x'});
	const first = await client.next();
	t.deepEqual([first.flags, first.sequence], [RST, 77]);
	client.segment(FIN, {data: 'abc'});
	const second = await client.next();
	t.deepEqual([second.flags, second.sequence, second.acknowledgment], [RST | ACK, 0, (client.sequence + 4) >>> 0]);
});

test('a large answer comes in frames of many segments, within the window', async (t) => {
	const {client, host, guest} = await connected(t);
	client.window = 65_535;
	client.ack();
	const bytes = Buffer.from(Array.from({length: 300_000}, (_, i) => (i * 7919) % 251));
	host.end(bytes);
	t.true(bytes.equals(await client.take(bytes.length)));
	t.true(guest.longest > 30_000);
	t.is(guest.segmentBytes, 1460);
	t.truthy(await client.next((tcp) => (tcp.flags & FIN) !== 0));
});

test('a guest without room for frames is offered them again when it has some', async (t) => {
	const {client, host, guest} = await connected(t);
	guest.hasRoom = false;
	host.write('wait');
	await settle();
	t.is(guest.frames.length, 0);
	guest.hasRoom = true;
	guest.endpoint.room();
	t.is((await client.take(4)).toString(), 'wait');
});

test('out of order: gaps are told by SACK, and what fills them brings all of it', async (t) => {
	const {client, host} = await connected(t);
	const start = client.sequence;
	client.ack({sequence: (start + 4) >>> 0, data: 'EFGH'});
	const gap = await client.next();
	t.is(gap.acknowledgment, start);
	const view = new DataView(gap.options.buffer, gap.options.byteOffset);
	t.deepEqual([...gap.options.subarray(0, 4)], [1, 1, 5, 10]);
	t.deepEqual([view.getUint32(4), view.getUint32(8)], [(start + 4) >>> 0, (start + 8) >>> 0]);
	client.ack({sequence: (start + 12) >>> 0, data: 'MN'});
	t.is((await client.next()).options.length, 4 + 16);
	// Overlaps what is there on both sides.
	client.ack({sequence: (start + 2) >>> 0, data: 'CDEFGHIJKL'});
	await client.next();
	client.ack({sequence: start, data: 'ABCD'});
	t.is((await client.next((tcp) => tcp.acknowledgment === (start + 14) >>> 0)).options.length, 0);
	t.is((await readBytes(host, 14)).toString(), 'ABCDEFGHIJKLMN');
});

test('a NIC that goes has nothing in memory, and says so', async (t) => {
	const {client, guest} = await connected(t);
	client.segment(ACK, {sequence: client.sequence + 5, data: 'some data'});
	t.is(counters(guest)['buffered'], 9);
	await guest.endpoint.dispose();
	t.deepEqual([counters(guest)['buffered'], counters(guest)['tcpConnections']], [0, 0]);
});

test('what comes twice is told again, and delivered once', async (t) => {
	const {client, host} = await connected(t);
	const start = client.sequence;
	client.send('once');
	await client.next();
	client.ack({sequence: start, data: 'once'});
	t.is((await client.next()).acknowledgment, client.sequence);
	client.send('!');
	t.is((await readBytes(host, 5)).toString(), 'once!');
});

test('a lost answer is sent again: at three repeated acknowledgments, or when its time is over, ever later', async (t) => {
	const {client, host, clock, guest} = await connected(t, {options: [2, 4, 0x05, 0xb4]});
	client.window = 60_000;
	client.ack();
	host.write(Buffer.alloc(1460 * 4, 1));
	await client.next((tcp) => tcp.data.length > 0);
	await settle();
	guest.frames.length = 0;
	for (let i = 0; i < 3; i++) client.ack();
	const again = await client.next((tcp) => tcp.data.length > 0);
	t.is(again.sequence, client.expected);
	t.is(again.data.length, 1460);
	t.is(counters(guest)['tcpRepeated'], 1);
	guest.frames.length = 0;
	clock.pass(60_000);
	const times = guest.frames.filter(({tcp}) => tcp?.sequence === client.expected);
	t.true(times.length >= 4 && times.length <= 10, `${times.length}`);
	client.ack({acknowledgment: (client.expected + 1460 * 4) >>> 0});
	guest.frames.length = 0;
	clock.pass(600_000);
	t.deepEqual(
		guest.frames.filter(({tcp}) => tcp !== undefined),
		[],
	);
});

test('a guest that has gone is given up, and the host hears a reset', async (t) => {
	const {host, clock} = await connected(t);
	const failed = once(host, 'error');
	host.write('anybody?');
	await settle();
	clock.pass(3_600_000);
	t.is((await failed)[0].code, 'ECONNRESET');
});

test('a window of zero stops the host and is asked about; it opens, and all of it comes', async (t) => {
	const {client, host, clock, guest} = await connected(t);
	client.window = 0;
	client.ack();
	host.write('abcdef');
	await settle();
	t.is(guest.frames.filter(({tcp}) => (tcp?.data.length ?? 0) > 0).length, 0);
	for (let probes = 0; probes < 20; probes++) {
		clock.pass(60_000);
		const probe = await client.next((tcp) => tcp.data.length > 0);
		t.deepEqual([probe.sequence, probe.data.toString()], [client.expected, 'a']);
		client.ack();
	}
	// What answers the guest is where its window is, and no byte further, as the probe was: it would be dropped.
	guest.frames.length = 0;
	client.send('x');
	const answer = await client.next();
	t.deepEqual([answer.sequence, answer.acknowledgment], [client.expected, client.sequence]);
	client.window = 100;
	client.ack();
	t.is((await client.take(6)).toString(), 'abcdef');
});

test('a host that does not read closes the window; probes are answered; reading opens it', async (t) => {
	const {client, host, guest} = await connected(t);
	host.pause();
	const piece = Buffer.alloc(60_000, 7);
	let sent = 0;
	let window = 65_535;
	while (window >= piece.length && sent < 64 * 1024 * 1024) {
		client.send(piece);
		sent += piece.length;
		await settle(2);
		const last = guest.frames.findLast(({tcp}) => tcp !== undefined)?.tcp;
		if (last === undefined) continue;
		window = last.window * 128 - ((client.sequence - last.acknowledgment) >>> 0);
	}
	t.true(window < piece.length, 'the window closes');
	t.true(sent < 32 * 1024 * 1024);
	client.send(Buffer.alloc(window, 8));
	sent += window;
	await settle();
	guest.frames.length = 0;
	// Windows are told in units of 128 bytes: there may be room for less than one.
	client.ack({data: Buffer.alloc(128, 8)});
	const probed = await client.next();
	const more = (probed.acknowledgment - client.sequence) >>> 0;
	t.true(more < 128);
	sent += more;
	const opened = client.next((tcp) => tcp.window > 0);
	let read = 0;
	host.on('data', (chunk) => {
		read += chunk.length;
	});
	host.resume();
	await opened;
	while (read < sent) await settle(1);
	t.is(read, sent);
});

test('a sign of life is answered', async (t) => {
	const {client} = await connected(t);
	client.ack({sequence: (client.sequence - 1) >>> 0});
	t.is((await client.next()).acknowledgment, client.sequence);
	client.ack({sequence: (client.sequence - 1) >>> 0, data: '\0'});
	t.is((await client.next()).acknowledgment, client.sequence);
});

test('the guest ends first: the host goes on, ends, and both are done', async (t) => {
	const {client, host, guest, clock} = await connected(t);
	client.send('last words', ACK | FIN);
	t.is((await readBytes(host, 10)).toString(), 'last words');
	host.resume();
	await once(host, 'end');
	host.write('mine come later');
	t.is((await client.take(15)).toString(), 'mine come later');
	host.end();
	await client.end();
	clock.pass(1000);
	await settle();
	guest.frames.length = 0;
	client.ack();
	t.is((await client.next()).flags & RST, RST);
	t.is(counters(guest)['buffered'], 0);
});

test('the host ends first: the guest goes on, and its end is acknowledged, also once more', async (t) => {
	const {client, host} = await connected(t);
	host.end('bye');
	t.is((await client.take(3)).toString(), 'bye');
	await client.end();
	client.send('still here');
	t.is((await readBytes(host, 10)).toString(), 'still here');
	const before = client.sequence;
	client.send('', ACK | FIN);
	await once(host.resume(), 'end');
	await client.next((tcp) => tcp.acknowledgment === (before + 1) >>> 0);
	client.segment(ACK | FIN, {sequence: before});
	t.is((await client.next()).acknowledgment, (before + 1) >>> 0);
	// The same ports may begin anew at once.
	client.guest.frames.length = 0;
	client.sequence = 5000;
	t.is((await client.connect()).acknowledgment, 5001);
});

test('an end that comes before what it follows is remembered', async (t) => {
	const {client, host} = await connected(t);
	const start = client.sequence;
	client.segment(ACK | FIN, {sequence: (start + 3) >>> 0, data: 'def'});
	await client.next();
	client.ack({sequence: start, data: 'abc'});
	await client.next((tcp) => tcp.acknowledgment === (start + 7) >>> 0);
	t.is((await readBytes(host, 6)).toString(), 'abcdef');
	await once(host.resume(), 'end');
	t.pass();
});

test('a reset of the guest resets the host, but only where the guest knows what comes next', async (t) => {
	const {client, host} = await connected(t);
	const failed = once(host, 'error');
	client.segment(RST, {sequence: (client.sequence + 10) >>> 0});
	t.is((await client.next()).flags, ACK);
	client.segment(SYN, {sequence: (client.sequence + 10) >>> 0});
	t.is((await client.next()).flags, ACK);
	client.segment(RST, {sequence: (client.sequence - 100_000_000) >>> 0});
	client.send('alive');
	t.is((await readBytes(host, 5)).toString(), 'alive');
	client.segment(RST);
	t.is((await failed)[0].code, 'ECONNRESET');
});

test('a reset of the host resets the guest', async (t) => {
	const {client, host} = await connected(t);
	host.resetAndDestroy();
	const reset = await client.next((tcp) => (tcp.flags & RST) !== 0);
	t.is(reset.sequence, client.expected);
	t.is(reset.acknowledgment, client.sequence);
});

test('what acknowledges bytes that were never sent changes nothing', async (t) => {
	const {client, host} = await connected(t);
	client.ack({acknowledgment: (client.expected + 1000) >>> 0, data: 'never'});
	t.is((await client.next()).acknowledgment, client.sequence);
	client.send('right');
	t.is((await readBytes(host, 5)).toString(), 'right');
});

test('a SYN that comes again is answered again; one answer lost is sent again', async (t) => {
	const server = await tcpServer(t);
	const {network, clock} = makeNetwork();
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	const client = new TcpClient(guest, '127.0.0.1', server.port);
	client.syn();
	const first = await client.next();
	client.syn();
	t.deepEqual(await client.next(), first);
	clock.pass(1000);
	t.deepEqual(await client.next(), first);
	client.sequence = (client.sequence + 1) >>> 0;
	client.expected = (first.sequence + 1) >>> 0;
	client.send('with the handshake');
	t.is((await readBytes(await server.accepted(), 18)).toString(), 'with the handshake');
});

test('a frame that the guest has not cut, with a checksum that it has not made, is one stream', async (t) => {
	const {client, host, guest} = await connected(t);
	const data = Buffer.alloc(40_000, 3);
	const frame = tcpFrame(guest.to('127.0.0.1'), {
		...{sourcePort: client.port, port: client.remotePort, sequence: client.sequence},
		...{acknowledgment: client.expected, flags: ACK, data},
	});
	frame[14 + 20 + 16] = 0x55;
	guest.send(frame, {needsChecksum: true, checksumStart: 34, checksumOffset: 16, segmentation: 1, segmentBytes: 1460});
	t.true((await readBytes(host, 40_000)).equals(data));
});

test('a checksum that is wrong, a header that ends nowhere: dropped and counted', async (t) => {
	const {client, guest, host} = await connected(t);
	const good = () =>
		tcpFrame(guest.to('127.0.0.1'), {
			...{sourcePort: client.port, port: client.remotePort, sequence: client.sequence},
			...{acknowledgment: client.expected, flags: ACK, data: 'data'},
		});
	const broken = [
		good().with(-1, 0),
		good().with(14 + 20 + 12, 0x40),
		good().with(14 + 20 + 12, 0xf0),
		good().with(14 + 10, 1),
	];
	for (const frame of broken) guest.send(frame);
	// The same with no checksum to look at.
	for (const byte of [0x40, 0xf0]) guest.send(good().with(14 + 20 + 12, byte), {isChecked: true});
	t.is(counters(guest)['malformed'], 6);
	client.send('fine');
	t.is((await readBytes(host, 4)).toString(), 'fine');
});

test('IPv6 carries connections too', async (t) => {
	const server = await tcpServer(t, '::1').catch(() => undefined);
	if (server === undefined) {
		t.pass('the host has no IPv6');
		return;
	}
	const {network} = makeNetwork();
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	const client = new TcpClient(guest, '0:0:0:0:0:0:0:1', server.port);
	const answer = await client.connect();
	t.deepEqual([...answer.options.subarray(0, 4)], [2, 4, 0x05, 0xa0]);
	const host = await server.accepted();
	client.send('six');
	t.is((await readBytes(host, 3)).toString(), 'six');
	host.write('back');
	t.is((await client.take(4)).toString(), 'back');
});

test('SYNs that nobody completes fill a part of the table, and no more', async (t) => {
	const server = await tcpServer(t);
	const {network} = makeNetwork();
	const [one, other] = [new TestGuest(network), new TestGuest(network, {number: 2})];
	t.teardown(() => one.endpoint.dispose());
	t.teardown(() => other.endpoint.dispose());
	for (let port = 1; port <= 2000; port++) new TcpClient(one, '127.0.0.1', server.port, port).syn();
	t.is(counters(one)['tcpConnections'], 256);
	t.is(counters(one)['tableFull'], 1744);
	const client = new TcpClient(other, '127.0.0.1', server.port);
	await client.connect();
	t.is(counters(other)['tcpConnections'], 1);
});

test('a scan of ports leaves nothing behind', async (t) => {
	const {port: free, close} = await tcpServer(t);
	close();
	const {network} = makeNetwork();
	const guest = new TestGuest(network);
	for (let source = 1; source <= 200; source++) new TcpClient(guest, '127.0.0.1', free, source).syn();
	for (let source = 1; source <= 200; source++) t.is((await guest.nextTcp(source)).flags, RST | ACK);
	guest.tcp('127.0.0.1', {sourcePort: 1, port: 1, sequence: 0, flags: RST});
	t.is(counters(guest)['tcpConnections'], 0);
	t.is(counters(guest)['tcpRefused'], 200);
});

test('a machine that is restored elsewhere finds none of its connections, and is told so', async (t) => {
	const {client, host, guest} = await connected(t);
	const failed = once(host, 'error');
	guest.endpoint.stop();
	await guest.endpoint.dispose();
	t.is((await failed)[0].code, 'ECONNRESET');
	const later = new TestGuest(makeNetwork().network);
	const same = new TcpClient(later, client.address, client.remotePort, client.port);
	same.sequence = client.sequence;
	same.expected = client.expected;
	same.send('go on');
	const reset = await same.next();
	t.deepEqual([reset.flags, reset.sequence], [RST, client.expected]);
});

test('a guest that goes on elsewhere is told at once that its connections have ended', async (t) => {
	const {client, guest} = await connected(t);
	await guest.endpoint.stop();
	const remembered = guest.endpoint.remember(8192);
	await guest.endpoint.dispose();
	const later = new TestGuest(makeNetwork().network);
	t.teardown(() => later.endpoint.dispose());
	later.endpoint.recall(remembered);
	const {flags, sequence, sourcePort} = await later.nextTcp(client.port);
	t.deepEqual([flags & RST, sequence, sourcePort], [RST, client.expected, client.remotePort]);
	later.endpoint.recall(Uint8Array.from({length: 500}, (_, at) => at));
	t.notThrows(() => later.tcp('10.0.0.1', {sourcePort: 1, port: 2, sequence: 3, flags: SYN}));
});

test('a guest that stands still is not late', async (t) => {
	const {client, host, guest, clock} = await connected(t);
	host.write('later');
	await client.next((tcp) => tcp.data.length > 0);
	guest.endpoint.stop();
	clock.pass(24 * 3_600_000);
	guest.endpoint.start();
	await settle();
	clock.pass(60_000);
	t.is((await client.take(5)).toString(), 'later');
});

test('segments of one byte do not fill the host’s memory: what is too many comes again', async (t) => {
	const {client, host, guest} = await connected(t);
	host.pause();
	const piece = Buffer.alloc(60_000, 7);
	let sent = 0;
	// Until the kernel's buffers are full, and what is sent stays here.
	while ((counters(guest)['buffered'] as number) < 200_000) {
		client.send(piece);
		sent += piece.length;
		await settle(2);
	}
	const start = client.sequence;
	for (let byte = 0; byte < 10_000; byte++) client.ack({sequence: (start + byte) >>> 0, data: 'b'});
	await settle();
	const last = guest.frames.findLast(({tcp}) => tcp !== undefined)?.tcp;
	const taken = ((last?.acknowledgment ?? start) - start) >>> 0;
	t.true(taken > 3000 && taken <= 4096, `${taken}`);
	let read = 0;
	host.on('data', (chunk) => {
		read += chunk.length;
	});
	host.resume();
	client.sequence = (start + taken) >>> 0;
	while (read < sent + taken) await settle(1);
	client.send('the rest');
	while (read < sent + taken + 8) await settle(1);
	t.is(read, sent + taken + 8);
});

test('who has no room is not remembered by connections that are gone', async (t) => {
	const {network} = makeNetwork();
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	guest.hasRoom = false;
	for (let port = 1; port <= 100; port++) {
		const client = new TcpClient(guest, '10.0.0.1', 53, port);
		client.syn();
		client.segment(ACK, {sequence: 5, data: 'what is far from the window is answered'});
		client.segment(RST, {sequence: (client.sequence + 1) >>> 0});
	}
	t.is(counters(guest)['tcpConnections'], 0);
	t.is((guest.endpoint as unknown as {awaitingRoom: number}).awaitingRoom, 0);
});

test('hosts that wait for the guest leave its own connections their part of the table', async (t) => {
	const server = await tcpServer(t);
	const {network} = makeNetwork();
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	const connectGuest = (host: Duplex) =>
		(guest.endpoint as unknown as {connections: TcpConnections}).connections.connect(host, toGuest, 22);
	const toGuest = {
		family: 4,
		fromMac: Uint8Array.from(mac(gatewayMac)),
		toMac: guest.mac,
		source: Uint8Array.of(10, 0, 0, 1),
		destination: Uint8Array.of(10, 0, 0, 2),
	} as const;
	const hosts = Array.from({length: 600}, () => duplexPair()[0]);
	for (const host of hosts) connectGuest(host);
	t.is(counters(guest)['tableFull'], 88);
	await new TcpClient(guest, '127.0.0.1', server.port).connect();
	t.is(hosts.filter(({destroyed}) => destroyed).length, 88);
});

test('on a link of the longest packets, options and data make no longer one', async (t) => {
	const {client, host, guest} = await connected(t, {mtu: 65_535, options: [2, 4, 0xff, 0xd7, 1, 1, 4, 2, 1, 3, 3, 7]});
	client.window = 65_535;
	for (let gap = 1; gap < 9; gap += 2) client.ack({sequence: (client.sequence + 2 * gap) >>> 0, data: 'x'});
	const bytes = Buffer.from(Array.from({length: 400_000}, (_, i) => (i * 7919) % 251));
	host.write(bytes);
	t.true((await client.take(bytes.length)).equals(bytes));
	t.true(guest.longest <= 65_535 + 14);
});

test('a host that connects and ends at once, before the guest has answered, loses nothing', async (t) => {
	const {network} = makeNetwork();
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	const forward = await guest.endpoint.forward({protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 9});
	t.teardown(() => forward.close());
	connect(forward.port, '127.0.0.1').end('short');
	const syn = await guest.nextTcp(9);
	await settle();
	const server = new TcpClient(guest, '10.0.0.1', syn.sourcePort, 9);
	server.expected = (syn.sequence + 1) >>> 0;
	server.segment(SYN | ACK);
	server.sequence = (server.sequence + 1) >>> 0;
	t.is((await server.take(5)).toString(), 'short');
	await server.end();
	server.send('', FIN | ACK);
	await settle();
	t.is(counters(guest)['tcpReset'], 0);
});

/** Sends until the host's kernel takes no more, and what is sent stays here. @returns how much that was */
async function fill(client: TcpClient): Promise<number> {
	const piece = Buffer.alloc(60_000, 7);
	let sent = 0;
	while ((counters(client.guest)['buffered'] as number) < 200_000) {
		client.send(piece);
		sent += piece.length;
		await settle(2);
	}
	return sent;
}

test('both have ended and the host has not read: what waits is remembered until it has', async (t) => {
	const {client, host, guest, clock} = await connected(t);
	host.pause();
	const sent = await fill(client);
	client.send('', FIN | ACK);
	host.end();
	await client.end();
	await settle();
	// To its kernel the connection is no more, as it says to a segment that comes late.
	client.segment(RST);
	clock.pass(5000);
	t.is(counters(guest)['tcpConnections'], 1);
	t.true((guest.endpoint as unknown as {budget: Budget}).budget.used >= 200_000);
	let read = 0;
	host.on('data', (chunk) => {
		read += chunk.length;
	});
	host.resume();
	await once(host, 'end');
	t.is(read, sent);
	await settle();
	clock.pass(5000);
	t.is((guest.endpoint as unknown as {connections: TcpConnections}).connections.size, 0);
});

test('an end and a reset at once close the host’s connection', async (t) => {
	const {client, host} = await connected(t);
	client.send('', FIN | ACK);
	client.segment(RST);
	await once(host.resume(), 'end');
	// Who writes to a connection that is no more hears of it.
	const failed = once(host, 'error');
	for (let round = 0; round < 20 && !host.destroyed; round++) {
		host.write('x');
		await settle();
	}
	host.destroy(new Error('it is still there'));
	t.regex((await failed)[0].code ?? '', /ECONNRESET|EPIPE/);
});

test('a reset does not wait for a host that does not read', async (t) => {
	const {client, host, guest} = await connected(t);
	host.pause();
	await fill(client);
	client.send('', FIN | ACK);
	await settle();
	client.segment(RST);
	t.is((guest.endpoint as unknown as {budget: Budget}).budget.used, 0);
	const failed = once(host, 'error');
	await settle();
	host.write('x');
	t.regex((await failed)[0].code, /ECONNRESET|EPIPE/);
});

test('what is lost after a time of silence is sent again as soon as without it', async (t) => {
	const {client, host, clock, guest} = await connected(t);
	host.write('a');
	await client.next((tcp) => tcp.data.length > 0);
	for (const wait of [1000, 2000, 4000, 8000]) clock.pass(wait);
	t.true((counters(guest)['tcpRepeated'] as number) >= 3);
	client.expected = (client.expected + 1) >>> 0;
	client.ack();
	host.write('b');
	await client.next((tcp) => tcp.data.toString() === 'b');
	client.expected = (client.expected + 1) >>> 0;
	client.ack();
	host.write('c');
	await client.next((tcp) => tcp.data.toString() === 'c');
	clock.pass(400);
	t.true(guest.frames.some(({tcp}) => tcp?.data.toString() === 'c'));
});

test('a full table makes room by a connection on which a guest has been silent for hours', async (t) => {
	const {network, clock} = makeNetwork({ipv6: false});
	const guests = Array.from({length: 64}, () => new TestGuest(network));
	for (const each of guests) t.teardown(() => each.endpoint.dispose());
	const [guest] = guests as [TestGuest];
	const clients = Array.from({length: 128}, (_, index) => new TcpClient(guest, '10.0.0.1', 53, index + 1));
	for (const client of clients) await client.connect();
	t.is(counters(guest)['tcpConnections'], 128);
	new TcpClient(guest, '10.0.0.1', 53, 1000).syn();
	t.is(counters(guest)['tableFull'], 1);
	clock.pass(2 * 3_600_000);
	for (const client of clients.slice(1)) client.ack();
	clock.pass(5 * 60_000);
	const late = new TcpClient(guest, '10.0.0.1', 53, 1001);
	late.syn();
	await (clients[0] as TcpClient).next(({flags}) => (flags & RST) !== 0);
	t.is((await late.next()).flags, SYN | ACK);
	t.is(counters(guest)['tcpConnections'], 128);
});

test('a guest that never reads holds a part of the host’s memory, however many connections it has', async (t) => {
	const server = await tcpServer(t);
	const {network} = makeNetwork();
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	const {budget} = guest.endpoint as unknown as {budget: Budget};
	const [connections, each] = [40, 4 * 1024 * 1024];
	for (let index = 0; index < connections; index++) {
		const client = new TcpClient(guest, '127.0.0.1', server.port, 20_000 + index);
		await client.connect();
		client.window = 0;
		client.ack();
		(await server.accepted()).write(Buffer.alloc(each));
	}
	const turn = () => new Promise((resolve) => setImmediate(resolve));
	const limit = 64 * 1024 * 1024;
	while (budget.used < limit / 2) await turn();
	for (let turns = 0; turns < 300; turns++) await turn();
	// Each has at least what one read brings, whatever the others have.
	t.true(budget.used <= limit + connections * 128 * 1024, `${budget.used}`);
});
