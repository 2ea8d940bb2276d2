import type {Socket} from 'node:net';
import test from 'ava';
import {seeded} from '#devices/virtio/testing';
import type {Budget} from './budget.ts';
import type {TcpConnections} from './tcp/index.ts';
import {ACK, be32, FIN, RST, SYN} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {TcpClient, usualOptions} from './testing/tcp-client.ts';
import {tcpServer} from './testing/tcp-server.ts';
import {TestGuest} from './testing/test-guest.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

for (const seed of [1, 2, 3, 4])
	test(`a guest that says anything on connections that stand harms nobody else (seed ${seed})`, async (t) => {
		const random = seeded(seed);
		const pick = <T>(...of: readonly T[]): T => of[random(of.length)] as T;
		const server = await tcpServer(t);
		const {network, clock} = makeNetwork({ipv6: false});
		const [guest, other] = [new TestGuest(network), new TestGuest(network, {number: 2})];
		t.teardown(() => guest.endpoint.dispose());
		t.teardown(() => other.endpoint.dispose());
		const counters = (guest.endpoint as unknown as {counters: Record<string, number>}).counters;
		for (let connection = 0; connection < 60; connection++) {
			const client = new TcpClient(guest, '127.0.0.1', server.port, 10_000 + connection);
			await client.connect(
				pick(usualOptions, [], [2, 4, 0, 0], [3, 3, 255], [4, 2, 1, 1], [2, 4, 255, 255, 3, 3, 0, 5]),
			);
			const host: Socket = await server.accepted();
			host.on('error', () => undefined);
			// Nobody reads from some, which hear of no end.
			t.teardown(() => host.destroy());
			if (random(3) > 0) host.resume();
			const start = {sequence: client.sequence, expected: client.expected};
			let answered = client.expected;
			for (let step = 0; step < 60; step++) {
				const near = () => pick(0, 1, -1, random(200), -random(200), 65_535, 2 ** 31, random(2 ** 30) * 4);
				// Of what was sent, or of anything.
				const blocks = Array.from({length: pick(0, 0, 1, 4)}, () => {
					const from = pick(answered - random(60_000), answered + near());
					return [from, from + pick(random(3000), near())].flatMap((end) => be32(end >>> 0));
				}).flat();
				const flags = pick(ACK, ACK, ACK, ACK | FIN, FIN, SYN | ACK, SYN, 0, 0x3f, random(40) === 0 ? RST : ACK);
				client.segment(flags, {
					sequence: (pick(start.sequence, client.sequence) + near()) >>> 0,
					acknowledgment: (pick(start.expected, answered, answered) + pick(0, 0, near())) >>> 0,
					data: Buffer.alloc(pick(0, 0, 1, random(3000)), 7),
					window: pick(0, 1, 512, random(65_536)),
					options: blocks.length > 0 ? [1, 1, 5, 2 + blocks.length, ...blocks] : [],
				});
				const action = random(12);
				if (action === 0 && !host.destroyed && host.writable) host.write(Buffer.alloc(1 + random(200_000), 3));
				else if (action === 1) clock.pass(random(3000));
				else if (action === 2) await turn();
				else if (action === 3 && random(4) === 0) host.end();
				else if (action === 4 && random(8) === 0) host.destroy();
				else if (action === 5) {
					guest.hasRoom = !guest.hasRoom;
					if (guest.hasRoom) guest.endpoint.room();
				} else if (action === 6 && random(4) === 0) {
					guest.endpoint.stop();
					await turn();
					guest.endpoint.start();
				}
				for (const {tcp} of guest.frames.splice(0))
					if (tcp !== undefined) answered = (tcp.sequence + tcp.data.length + (tcp.flags & FIN)) >>> 0;
				t.true((counters['buffered'] as number) >= 0);
			}
			guest.hasRoom = true;
			guest.endpoint.room();
			await turn();
			guest.frames.length = 0;
		}
		t.true((counters['tcpConnections'] as number) <= 60);
		const another = await tcpServer(t);
		const untouched = new TcpClient(other, '127.0.0.1', another.port);
		await untouched.connect();
		const host = await another.accepted();
		host.end('still here');
		t.is((await untouched.take(10)).toString(), 'still here');
		await guest.endpoint.dispose();
		t.is((guest.endpoint as unknown as {budget: Budget}).budget.used, 0);
		t.is((guest.endpoint as unknown as {awaitingRoom: number}).awaitingRoom, 0);
		t.is((guest.endpoint as unknown as {connections: TcpConnections}).connections.size, 0);
	});
