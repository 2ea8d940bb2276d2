import test from 'ava';
import {seeded} from '#devices/virtio/testing';
import {ACK, be32} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {TcpClient} from './testing/tcp-client.ts';
import {tcpServer} from './testing/tcp-server.ts';
import {TestGuest} from './testing/test-guest.ts';

/** Numbers from 0 to 1, the same in every run. */
function numbers(seed: number): () => number {
	const below = seeded(seed);
	return () => below(2 ** 20) / 2 ** 20;
}

const pattern = (length: number): Buffer => Buffer.from(Array.from({length}, (_, i) => (i * 31 + (i >> 8)) & 255));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a guest has behind `expected`, as a SACK option has it: four ranges at most (RFC 2018, 3). */
function sackOption(expected: number, parts: ReadonlyMap<number, Buffer>): readonly number[] {
	const offsets = [...parts].map(([sequence, {length}]) => [(sequence - expected) | 0, length] as const);
	const ranges: [from: number, to: number][] = [];
	for (const [from, length] of offsets.filter(([offset]) => offset > 0).toSorted(([a], [b]) => a - b)) {
		const last = ranges.at(-1);
		if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], from + length);
		else ranges.push([from, from + length]);
	}
	const blocks = ranges.slice(0, 4).flat();
	if (blocks.length === 0) return [];
	return [1, 1, 5, 2 + 4 * blocks.length, ...blocks.flatMap((offset) => be32((expected + offset) >>> 0))];
}

for (const [seed, saysWhatItHas] of [
	[1, false],
	[2, false],
	[3, false],
	[7, true],
	[8, true],
	[9, true],
] as const)
	test(`what a guest loses, or gets twice, it gets again in the end (seed ${seed}${saysWhatItHas ? ', SACK' : ''})`, async (t) => {
		const random = numbers(seed);
		const server = await tcpServer(t);
		const {network, clock} = makeNetwork({ipv6: false});
		const guest = new TestGuest(network);
		t.teardown(() => guest.endpoint.dispose());
		const client = new TcpClient(guest, '127.0.0.1', server.port);
		await client.connect();
		const wanted = pattern(400_000);
		(await server.accepted()).end(wanted);
		const parts = new Map<number, Buffer>();
		let have = 0;
		for (let idle = 0; have < wanted.length; idle++) {
			await turn();
			for (const {tcp} of guest.frames.splice(0)) {
				idle = 0;
				if (tcp === undefined || tcp.data.length === 0 || random() < 0.2) continue;
				parts.set(tcp.sequence, tcp.data);
				for (let data = parts.get(client.expected); data !== undefined; data = parts.get(client.expected)) {
					t.deepEqual(data, wanted.subarray(have, have + data.length));
					have += data.length;
					client.expected = (client.expected + data.length) >>> 0;
				}
				const options = saysWhatItHas ? sackOption(client.expected, parts) : [];
				if (random() > 0.2) client.ack({options});
				if (random() < 0.1) client.ack({options});
			}
			if (idle > 20) clock.pass(500);
		}
		t.is(have, wanted.length);
	});

for (const seed of [4, 5, 6])
	test(`what a guest sends in another order, in pieces, twice or not at all arrives once (seed ${seed})`, async (t) => {
		const random = numbers(seed);
		const server = await tcpServer(t);
		const {network} = makeNetwork({ipv6: false});
		const guest = new TestGuest(network);
		t.teardown(() => guest.endpoint.dispose());
		const client = new TcpClient(guest, '127.0.0.1', server.port);
		await client.connect();
		const host = await server.accepted();
		const received: Buffer[] = [];
		host.on('data', (data) => received.push(data));
		const start = client.sequence;
		const sent = pattern(200_000);
		let acknowledged = 0;
		while (acknowledged < sent.length) {
			// Up to forty pieces from where the other side is, in any order.
			const pieces = Array.from({length: 40}, () => {
				const from = acknowledged + Math.floor(random() * random() * 40_000);
				return {from, data: sent.subarray(from, from + 1 + Math.floor(random() * 1460))};
			});
			pieces.push({from: acknowledged, data: sent.subarray(acknowledged, acknowledged + 1460)});
			for (const {from, data} of pieces)
				if (data.length > 0) client.segment(ACK, {sequence: (start + from) >>> 0, data});
			await turn();
			for (const {tcp} of guest.frames.splice(0))
				if (tcp !== undefined) acknowledged = Math.max(acknowledged, (tcp.acknowledgment - start) >>> 0);
		}
		const length = () => received.reduce((sum, {length: bytes}) => sum + bytes, 0);
		while (length() < sent.length) await turn();
		t.true(Buffer.concat(received).equals(sent));
	});
