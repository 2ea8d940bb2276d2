import test, {type ExecutionContext} from 'ava';
import {ACK, be16, be32, type IpFields, ipFrame, RST, SYN, tcpFrame, udpFrame, udpPayload} from './testing/frames.ts';
import {makeNetwork, type NetworkChoices} from './testing/make-network.ts';
import {tcpServer} from './testing/tcp-server.ts';
import {TestGuest} from './testing/test-guest.ts';
import {udpServer} from './testing/udp-server.ts';

function makeGuest(t: ExecutionContext, choices: NetworkChoices = {}) {
	const made = makeNetwork(choices);
	const guest = new TestGuest(made.network);
	t.teardown(() => guest.endpoint.dispose());
	return {...made, guest, counters: (guest.endpoint as unknown as {counters: Record<string, number>}).counters};
}

interface Piece {
	readonly from: number;
	readonly to: number;
	readonly last?: boolean;
}

/** Fragments of a datagram (RFC 791, 3.2). */
function fragments(guest: TestGuest, payload: readonly number[], pieces: readonly Piece[], id = 7): Uint8Array[] {
	const fields = guest.to('127.0.0.1');
	return pieces.map(({from, to, last = to === payload.length}) =>
		ipFrame(17, payload.slice(from, to), {...fields, id, fragment: (last ? 0 : 0x2000) | (from / 8)}),
	);
}

test('fragments in any order make one packet; what comes twice does not matter', async (t) => {
	const echo = await udpServer(t, (message) => `${message.length} ${message.subarray(-3)}`);
	const {guest, counters} = makeGuest(t);
	const payload = udpPayload(guest.to('127.0.0.1'), 5000, echo.port, `${'x'.repeat(3989)}end`);
	const [a, b, c] = fragments(guest, payload, [
		{from: 0, to: 1480},
		{from: 1480, to: 2960},
		{from: 2960, to: 4000},
	]) as [Uint8Array, Uint8Array, Uint8Array];
	for (const frame of [c, a, a, b]) guest.send(frame);
	t.is((await guest.nextUdp(5000)).data.toString(), '3992 end');
	t.is(counters['reassembled'], 1);
});

test('a packet of 64 pieces is one, and a packet of more is none', async (t) => {
	const echo = await udpServer(t, (message) => `${message.length}`);
	const {guest, counters} = makeGuest(t);
	const send = (count: number, id: number) => {
		const payload = udpPayload(guest.to('127.0.0.1'), 5000, echo.port, 'x'.repeat(8 * count - 8));
		const pieces = Array.from({length: count}, (_, index) => ({from: 8 * index, to: 8 * index + 8}));
		for (const frame of fragments(guest, payload, pieces, id)) guest.send(frame);
	};
	send(65, 1);
	send(64, 2);
	t.is((await guest.nextUdp(5000)).data.toString(), '504');
	t.is(counters['reassembled'], 1);
});

test('fragments of IPv6 make one packet, and one that is whole already is one', (t) => {
	const {guest, counters} = makeGuest(t);
	const fields = guest.to('fd4f:7065:6e56:0:0:0:0:1');
	const payload = udpPayload(fields, 5000, 99, 'y'.repeat(100));
	const piece = (from: number, to: number, more: number) =>
		ipFrame(44, [17, 0, ...be16(from | more), ...be32(5), ...payload.slice(from, to)], fields);
	guest.send(piece(48, 108, 0));
	t.is(guest.frames.length, 0);
	guest.send(piece(0, 48, 1));
	t.deepEqual([...(guest.frames.pop()?.payload.subarray(0, 2) ?? [])], [1, 4]);
	guest.send(piece(0, 108, 0));
	t.deepEqual([...(guest.frames.pop()?.payload.subarray(0, 2) ?? [])], [1, 4]);
	t.is(counters['reassembled'], 1);
});

test('pieces that overlap, contradict the end or have odd lengths make a packet worthless', (t) => {
	const {guest, counters} = makeGuest(t);
	const payload = udpPayload(guest.to('127.0.0.1'), 5000, 9, 'z'.repeat(92));
	const bad: readonly (readonly Piece[])[] = [
		[
			{from: 0, to: 48},
			{from: 40, to: 100},
		],
		[
			{from: 0, to: 48},
			{from: 48, to: 100},
			{from: 0, to: 56},
		].toReversed(),
		[
			{from: 48, to: 100},
			{from: 48, to: 96, last: true},
			{from: 0, to: 48},
		],
		[
			{from: 96, to: 100, last: true},
			{from: 96, to: 104},
			{from: 0, to: 96},
		],
		[
			{from: 0, to: 47},
			{from: 48, to: 100},
		],
		[
			{from: 0, to: 0},
			{from: 0, to: 48},
			{from: 48, to: 100},
		],
	];
	for (const [id, pieces] of bad.entries())
		for (const frame of fragments(guest, payload, pieces, id)) guest.send(frame);
	for (const frame of fragments(
		guest,
		payload,
		[
			{from: 0, to: 48},
			{from: 65_528, to: 65_540, last: true},
		],
		99,
	))
		guest.send(frame);
	t.is(counters['udpOpened'], 0);
	t.is(counters['reassembled'], 0);
});

test('what is never whole is forgotten: the oldest when there are many, all after a while', async (t) => {
	const echo = await udpServer(t, (message) => message);
	const {guest, counters, clock} = makeGuest(t);
	const payload = udpPayload(guest.to('127.0.0.1'), 5000, echo.port, 'w'.repeat(92));
	const halves = (id: number) =>
		fragments(
			guest,
			payload,
			[
				{from: 0, to: 48},
				{from: 48, to: 100},
			],
			id,
		) as [Uint8Array, Uint8Array];
	for (let id = 0; id < 1000; id++) guest.send(halves(id)[0]);
	guest.send(halves(0)[1]);
	t.is(counters['reassembled'], 0);
	guest.send(halves(999)[1]);
	await guest.nextUdp(5000);
	t.is(counters['reassembled'], 1);
	clock.pass(30_000);
	guest.send(halves(998)[1]);
	t.is(counters['reassembled'], 1);
});

test('a neighbour that comes in pieces is not believed', (t) => {
	const {guest} = makeGuest(t);
	const fields = {...guest.to('ff02:0:0:0:0:0:0:2', 'fe80:0:0:0:0:0:0:9'), hops: 255};
	const message = [133, 0, 0x7b, 0xbb - 2, 0, 0, 0, 0, ...new Array(8).fill(0)];
	const piece = (from: number, to: number, more: number) =>
		ipFrame(44, [58, 0, ...be16(from | more), ...be32(5), ...message.slice(from, to)], fields);
	guest.send(piece(0, 8, 1));
	guest.send(piece(8, 16, 0));
	t.deepEqual(guest.frames, []);
});

test('a large datagram for the guest comes in fragments that fit its link', async (t) => {
	const echo = await udpServer(t, () => Buffer.from(Array.from({length: 5000}, (_, i) => i % 251)));
	const {guest} = makeGuest(t);
	guest.udp('127.0.0.1', 5000, echo.port, 'give');
	const parts: Buffer[] = [];
	for (let more = true; more; ) {
		const {fragment, payload} = await guest.next();
		t.is(
			(fragment & 0x1fff) * 8,
			parts.reduce((sum, part) => sum + part.length, 0),
		);
		parts.push(payload);
		more = (fragment & 0x2000) !== 0;
	}
	t.is(parts.length, 4);
	t.deepEqual(Buffer.concat(parts).subarray(8), Buffer.from(Array.from({length: 5000}, (_, i) => i % 251)));
});

test('extensions of IPv6 are walked over, and have an end', (t) => {
	const {guest, counters} = makeGuest(t);
	const fields = guest.to('fd4f:7065:6e56:0:0:0:0:1');
	const datagram = udpPayload(fields, 5000, 99, 'x');
	const extension = (next: number) => [next, 0, 1, 4, 0, 0, 0, 0];
	guest.send(ipFrame(0, [...extension(60), ...extension(17), ...datagram], fields));
	t.is(guest.frames.pop()?.payload[0], 1);
	const many = Array.from({length: 20}, (_, i) => extension(i < 19 ? 60 : 17)).flat();
	guest.send(ipFrame(0, [...many, ...datagram], fields));
	guest.send(ipFrame(60, [17, 200, 0, 0, 0, 0, 0, 0, ...datagram], fields));
	guest.send(ipFrame(60, [17], fields));
	guest.send(ipFrame(44, [17, 0, 0], fields));
	t.is(counters['malformed'], 4);
	t.deepEqual(guest.frames, []);
});

test('what is longer than a packet may be, put together, is none', async (t) => {
	const {guest, counters} = makeGuest(t);
	const length = 65_535;
	const step = 60_000;
	const sendAll = (protocol: number, first: readonly number[], fields: ReturnType<TestGuest['to']>, id: number) => {
		const whole = [...first, ...new Array<number>(length - first.length).fill(0)];
		for (const [from, to] of [
			[0, step],
			[step, length],
		] as const)
			guest.send(
				ipFrame(protocol, whole.slice(from, to), {...fields, id, fragment: (from === 0 ? 0x2000 : 0) | (from / 8)}),
			);
	};
	// An echo request, and a datagram for a port of the gateway that nobody has.
	sendAll(1, [8, 0, 0xf7, 0xff], guest.to('10.0.0.1'), 1);
	sendAll(17, [...be16(5000), ...be16(9), ...be16(length), 0, 0], guest.to('10.0.0.1'), 2);
	t.deepEqual(guest.frames, []);
	t.is(counters['reassembled'], 0);
});

/** A frame's packet in pieces of eight bytes (RFC 791, 3.2; RFC 8200, 4.5). */
function inPieces(frame: Uint8Array, fields: IpFields): Uint8Array[] {
	const [start, protocol] = fields.source.includes(':') ? [54, frame[20] as number] : [34, frame[23] as number];
	const payload = [...frame.subarray(start)];
	return Array.from({length: Math.ceil(payload.length / 8)}, (_, index) => {
		const more = 8 * (index + 1) < payload.length;
		const bytes = payload.slice(8 * index, 8 * (index + 1));
		return start === 54
			? ipFrame(44, [protocol, 0, ...be16((8 * index) | (more ? 1 : 0)), ...be32(5), ...bytes], fields)
			: ipFrame(protocol, bytes, {...fields, fragment: (more ? 0x2000 : 0) | index});
	});
}

test('a closed address is closed in fragments too', async (t) => {
	const server = await tcpServer(t);
	const echo = await udpServer(t, (message) => message);
	const closed = makeGuest(t, {allow: []});
	const syn = {sourcePort: 4000, port: server.port, sequence: 99, flags: SYN};
	const loopbacks = {'127.0.0.1': [3, 13], '0:0:0:0:0:0:0:1': [1, 1], '64:ff9b:0:0:0:0:7f00:1': [1, 1]};
	for (const [address, prohibited] of Object.entries(loopbacks)) {
		const {guest} = closed;
		const ends = guest.to(address);
		for (const piece of inPieces(tcpFrame(ends, syn), ends)) guest.send(piece);
		t.is((await guest.nextTcp(4000)).flags, RST | ACK, address);
		for (const piece of inPieces(udpFrame(ends, 5000, echo.port, 'in pieces'), ends)) guest.send(piece);
		t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], prohibited, address);
	}
	t.deepEqual(
		closed.decisions.map(({kind, protocol, address}) => `${kind} ${protocol} ${address}`),
		['127.0.0.1', '::1', '64:ff9b::7f00:1'].flatMap((address) => [`refuse tcp ${address}`, `refuse udp ${address}`]),
	);
	t.is(closed.counters['reassembled'], 6);
	t.deepEqual([server.sockets.length, echo.senders.length], [0, 0]);
	const open = makeGuest(t, {allow: [`127.0.0.1:${server.port}`]});
	const ends = open.guest.to('127.0.0.1');
	for (const piece of inPieces(tcpFrame(ends, syn), ends)) open.guest.send(piece);
	t.is((await open.guest.nextTcp(4000)).flags, SYN | ACK, 'the same pieces connect where a rule opens it');
});

test('pieces for an open address and for a closed one are no packet', async (t) => {
	const [allowed, other] = [await tcpServer(t), await tcpServer(t)];
	const {guest, counters} = makeGuest(t, {allow: [`127.0.0.2:${allowed.port}`]});
	const [open, closed] = [guest.to('127.0.0.2'), guest.to('127.0.0.1')];
	const syn = {sourcePort: 4000, port: other.port, sequence: 99, flags: SYN};
	const [first] = inPieces(tcpFrame(open, {...syn, port: allowed.port}), open);
	const [, ...rest] = inPieces(tcpFrame(closed, syn), closed);
	for (const piece of [first as Uint8Array, ...rest]) guest.send(piece);
	t.is(counters['reassembled'], 0);
	t.is(counters['tcpOpened'], 0);
});
