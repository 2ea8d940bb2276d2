import test, {type ExecutionContext} from 'ava';
import {seeded} from '#devices/virtio/testing';
import {query} from './testing/dns-messages.ts';
import {ACK, be16, be32, icmpFrame, ipFrame, SYN, tcpFrame, udpFrame, udpPayload} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {TestGuest} from './testing/test-guest.ts';

/** Right frames of every protocol that is understood; changes of them reach the code behind the first checks. */
function seeds(guest: TestGuest): readonly Uint8Array[] {
	const out = guest.to('10.0.0.1');
	const six = guest.to('fd4f:7065:6e56:0:0:0:0:1');
	const local = {...guest.to('ff02:0:0:0:0:0:0:2', 'fe80:0:0:0:0:0:0:9'), hops: 255};
	const dhcp = [
		1,
		1,
		6,
		0,
		1,
		2,
		3,
		4,
		...new Array(20).fill(0),
		...guest.mac,
		...new Array(202).fill(0),
		0x63,
		0x82,
		0x53,
		0x63,
		53,
		1,
		1,
		50,
		4,
		10,
		0,
		0,
		2,
		255,
	];
	const arp = [
		...guest.mac,
		0x08,
		0x06,
		0,
		1,
		8,
		0,
		6,
		4,
		0,
		1,
		...guest.mac,
		10,
		0,
		0,
		2,
		0,
		0,
		0,
		0,
		0,
		0,
		10,
		0,
		0,
		1,
	];
	const tcp = {sourcePort: 5, port: 53, sequence: 7, flags: SYN, options: [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 0, 0]};
	const datagram = udpPayload(out, 9, 53, query('a.internal'));
	return [
		Uint8Array.from([255, 255, 255, 255, 255, 255, ...arp]),
		udpFrame(out, 68, 67, Uint8Array.from(dhcp)),
		udpFrame(out, 9, 53, query('a.internal')),
		ipFrame(17, datagram.slice(0, 16), {...out, fragment: 0x2000}),
		ipFrame(17, datagram.slice(16), {...out, fragment: 2}),
		tcpFrame(out, tcp),
		tcpFrame(out, {...tcp, flags: ACK, data: 'some data'}),
		tcpFrame(six, tcp),
		udpFrame(six, 9, 99, 'x'),
		udpFrame({...local, destination: 'ff02:0:0:0:0:0:1:2'}, 546, 547, Uint8Array.from([11, 1, 2, 3, 0, 1, 0, 2, 5, 5])),
		icmpFrame(local, 133, 0, [0, 0, 0, 0, 1, 1, ...guest.mac]),
		icmpFrame(local, 135, 0, [0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x55, 0x0a, 0xff, 0xfe, 0, 0, 1]),
		icmpFrame(out, 8, 0, [1, 2, 3, 4]),
		ipFrame(0, [44, 0, 1, 4, 0, 0, 0, 0, 17, 0, ...be16(1), ...be32(9), ...datagram.slice(0, 8)], six),
	];
}

/** Runs changed frames into a network: it answers whatever it does with frames that are right, and keeps its bounds. */
async function fuzz(t: ExecutionContext, seed: number, rounds: number) {
	const random = seeded(seed);
	const {network, clock} = makeNetwork({allow: []});
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	const originals = seeds(guest);
	for (let round = 0; round < rounds; round++) {
		let bytes = Uint8Array.from(originals[random(originals.length)] as Uint8Array);
		for (let changes = random(4); changes > 0; changes--) bytes[12 + random(bytes.length - 12)] = random(256);
		if (random(4) === 0) bytes = bytes.slice(0, 14 + random(bytes.length - 13));
		// Most checksums are wrong now: the guest says that somebody has looked at them.
		guest.send(bytes, {
			isChecked: random(8) !== 0,
			segmentation: random(16) === 0 ? (([1, 4, 5] as const)[random(3)] ?? 0) : 0,
			segmentBytes: 1 + random(2000),
			needsChecksum: random(16) === 0,
		});
		if (random(50) === 0) clock.pass(random(2000));
		if (random(100) === 0) {
			guest.hasRoom = !guest.hasRoom;
			guest.endpoint.room();
			await new Promise((resolve) => setImmediate(resolve));
		}
		guest.frames.length = 0;
	}
	return {guest, counters: (guest.endpoint as unknown as {counters: Record<string, number>}).counters};
}

for (const seed of [1, 2, 3, 4])
	test(`frames of any kind change nothing but what they may (seed ${seed})`, async (t) => {
		const {guest, counters} = await fuzz(t, seed, 20_000);
		await new Promise((resolve) => setImmediate(resolve));
		t.true((counters['malformed'] as number) > 1000);
		t.true((counters['framesOut'] as number) > 1000);
		for (const reached of ['dhcpAnswers', 'dnsQuestions', 'reassembled', 'tcpOpened', 'udpOpened', 'unanswered'])
			t.true((counters[reached] as number) > 10, `${reached}: ${counters[reached]}`);
		t.true((counters['tcpConnections'] as number) <= 512);
		t.true((counters['udpFlows'] as number) <= 2048);
		guest.hasRoom = true;
		guest.endpoint.room();
		await new Promise((resolve) => setImmediate(resolve));
		guest.frames.length = 0;
		guest.send(icmpFrame(guest.to('10.0.0.1'), 8, 0, [9, 9, 9, 9]));
		t.deepEqual([...(await guest.next(({payload}) => payload[4] === 9)).payload.subarray(4)], [9, 9, 9, 9]);
		await guest.endpoint.dispose();
		t.is(counters['buffered'], 0);
	});
