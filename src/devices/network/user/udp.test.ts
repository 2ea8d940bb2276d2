import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import test, {type ExecutionContext} from 'ava';
import type {Verdict} from './policy/index.ts';
import {icmpFrame, ipFrame, udpFrame, udpPayload} from './testing/frames.ts';
import {makeNetwork, type NetworkChoices} from './testing/make-network.ts';
import {TestGuest} from './testing/test-guest.ts';
import {udpServer} from './testing/udp-server.ts';

function makeGuest(t: ExecutionContext, choices: NetworkChoices = {}) {
	const made = makeNetwork(choices);
	const guest = new TestGuest(made.network);
	t.teardown(() => guest.endpoint.dispose());
	return {...made, guest, counters: (guest.endpoint as unknown as {counters: Record<string, number>}).counters};
}

test('datagrams go out by one socket of the host for each of the guest, and answers come back', async (t) => {
	const echo = await udpServer(t, (message) => `echo ${message}`);
	const other = await udpServer(t, (message) => `other ${message}`);
	const {guest, counters} = makeGuest(t);
	guest.udp('127.0.0.1', 5000, echo.port, 'one');
	const first = await guest.nextUdp(5000);
	t.deepEqual([first.data.toString(), first.source, first.sourcePort], ['echo one', '127.0.0.1', echo.port]);
	guest.udp('127.0.0.1', 5000, other.port, 'two');
	t.is((await guest.nextUdp(5000)).data.toString(), 'other two');
	guest.udp('127.0.0.1', 5001, echo.port, 'three');
	await guest.nextUdp(5001);
	t.is(echo.senders[0], other.senders[0]);
	t.not(echo.senders[0], echo.senders[1]);
	t.is(counters['udpOpened'], 2);
});

test('who was never talked to is not heard', async (t) => {
	const echo = await udpServer(t, () => 'answer');
	const {guest} = makeGuest(t);
	guest.udp('127.0.0.1', 5000, echo.port, 'hello');
	await guest.nextUdp(5000);
	const stranger = createSocket('udp4');
	t.teardown(() => stranger.close());
	stranger.send('psst', echo.senders[0] as number, '127.0.0.1');
	guest.udp('127.0.0.1', 5000, echo.port, 'again');
	t.is((await guest.nextUdp(5000)).data.toString(), 'answer');
	t.deepEqual(guest.frames, []);
});

test('a flow that is silent for five minutes has gone, and its socket too', async (t) => {
	const echo = await udpServer(t, () => 'answer');
	const {guest, clock, counters, network} = makeGuest(t, {ipv6: false});
	guest.udp('127.0.0.1', 5000, echo.port, 'hello');
	await guest.nextUdp(5000);
	clock.pass(299_000);
	guest.udp('127.0.0.1', 5000, echo.port, 'hello');
	await guest.nextUdp(5000);
	clock.pass(301_000 + 30_000);
	t.is(clock.timers, 0);
	guest.udp('127.0.0.1', 5000, echo.port, 'hello');
	await guest.nextUdp(5000);
	t.is(counters['udpOpened'], 2);
	t.truthy(network);
});

test('flows are bounded: the one that was silent for the longest goes', async (t) => {
	const echo = await udpServer(t, () => undefined);
	const {network, clock} = makeNetwork({ipv6: false});
	// Two thousand sockets shared by so many guests leave each a few.
	const guests = Array.from({length: 200}, () => new TestGuest(network));
	t.teardown(() => {
		for (const {endpoint} of guests) endpoint.dispose();
	});
	const [guest] = guests as [TestGuest];
	const {counters} = guest.endpoint as unknown as {counters: Record<string, number>};
	for (let port = 1; port <= 100; port++) {
		guest.udp('127.0.0.1', port, echo.port, 'x');
		clock.pass(1);
	}
	t.is(counters['udpFlows'], 10);
	t.is(counters['tableFull'], 90);
});

test('a port of the gateway that nobody has is unreachable, with what was sent', async (t) => {
	const {guest} = makeGuest(t);
	guest.udp('10.0.0.1', 5000, 99, 'hello');
	const {protocol, payload} = await guest.next();
	t.is(protocol, 1);
	t.deepEqual([...payload.subarray(0, 2)], [3, 3]);
	t.deepEqual([payload.readUInt16BE(28), payload.readUInt16BE(30), payload.readUInt16BE(32)], [5000, 99, 13]);
});

/** A port of the host's that nobody has any more. */
async function closedPort(host: string): Promise<number> {
	const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
	socket.bind(0, host);
	await once(socket, 'listening');
	const {port} = socket.address();
	await new Promise<void>((closed) => socket.close(closed));
	return port;
}

for (const [host, told, quoted] of [
	['127.0.0.1', [3, 3], 28],
	['0:0:0:0:0:0:0:1', [1, 4], 48],
] as const)
	test(`a closed port of ${host} is unreachable, and others of the same flow lose nothing by that`, async (t) => {
		const echo = await udpServer(t, (message) => message, host);
		const closed = await closedPort(host);
		const {guest, counters} = makeGuest(t);
		guest.udp(host, 5000, closed, 'x');
		const {payload, source} = await guest.next();
		t.deepEqual([...payload.subarray(0, 2)], [...told]);
		t.is(source, host);
		t.deepEqual([payload.readUInt16BE(quoted), payload.readUInt16BE(quoted + 2)], [5000, closed]);
		guest.udp(host, 5000, echo.port, 'first');
		t.is(`${(await guest.nextUdp(5000)).data}`, 'first');
		for (let round = 0; round < 20; round++) {
			guest.udp(host, 5000, closed, 'x');
			guest.udp(host, 5000, echo.port, `${round}`);
		}
		for (let round = 0; round < 20; round++) t.is(`${(await guest.nextUdp(5000)).data}`, `${round}`);
		t.deepEqual([counters['dropped'], counters['udpOpened'], counters['udpFlows']], [0, 1, 1]);
	});

test('an error of an end that a function has led elsewhere is of the end that the guest knows', async (t) => {
	const closed = await closedPort('127.0.0.1');
	const {guest} = makeGuest(t, {allow: [], connect: () => ({kind: 'redirect', address: '127.0.0.1', port: closed})});
	guest.udp('93.184.216.34', 5000, 9, 'x');
	const {payload, source} = await guest.next();
	t.deepEqual([source, ...payload.subarray(0, 2), payload.readUInt16BE(30)], ['93.184.216.34', 3, 3, 9]);
});

test('broadcasts, multicasts and nobody go nowhere', (t) => {
	const {guest, counters} = makeGuest(t);
	for (const address of ['224.0.0.251', '255.255.255.255', '240.0.0.1', 'ff02:0:0:0:0:0:0:fb'])
		guest.udp(address, 5353, 5353, 'anybody?');
	guest.send(udpFrame(guest.to('127.0.0.1', '0.0.0.0'), 1, 9, ''));
	t.is(counters['udpOpened'], 0);
	t.is(counters['unanswered'], 5);
	t.deepEqual(guest.frames, []);
});

test('lengths and checksums that are wrong are dropped; none at all is allowed to IPv4', async (t) => {
	const echo = await udpServer(t, (message) => message);
	const {guest, counters} = makeGuest(t);
	const fields = guest.to('127.0.0.1');
	const good = udpPayload(fields, 5000, echo.port, 'data');
	const with16 = (at: number, value: number) => good.with(at, value >> 8).with(at + 1, value & 255);
	for (const datagram of [with16(4, 7), with16(4, 13), with16(6, 1), good.slice(0, 7)])
		guest.send(ipFrame(17, datagram, fields));
	t.is(counters['malformed'], 4);
	guest.send(ipFrame(17, with16(6, 0), fields));
	t.is((await guest.nextUdp(5000)).data.toString(), 'data');
	const six = guest.to('fd00:0:0:0:0:0:0:9');
	guest.send(ipFrame(17, udpPayload(six, 5000, 9, 'data').with(6, 0).with(7, 0), six));
	t.is(counters['malformed'], 5);
});

test('a datagram that the guest has not cut is cut', async (t) => {
	const echo = await udpServer(t, (message) => `${message.length}`);
	const {guest} = makeGuest(t);
	const frame = udpFrame(guest.to('127.0.0.1'), 5000, echo.port, 'x'.repeat(2500));
	guest.send(frame, {needsChecksum: true, checksumStart: 34, checksumOffset: 6, segmentation: 5, segmentBytes: 1000});
	const lengths = [await guest.nextUdp(5000), await guest.nextUdp(5000), await guest.nextUdp(5000)];
	t.deepEqual(
		lengths.map(({data}) => data.toString()),
		['1000', '1000', '500'],
	);
});

test('datagrams that follow each other come as they were sent, of whatever lengths, to whichever ends', async (t) => {
	const got: string[][] = [[], []];
	const [first, second] = await Promise.all(
		got.map((all) => udpServer(t, (message) => (all.push(message.toString('latin1')) === 1 ? 'here' : undefined))),
	);
	const ports = [first?.port, second?.port] as [number, number];
	const {guest} = makeGuest(t);
	// Nothing is decided about after these.
	for (const port of ports) {
		guest.udp('127.0.0.1', 5000, port, 'first');
		await guest.nextUdp(5000);
	}
	const sent: string[][] = [['first'], ['first']];
	const say = (end: 0 | 1, length: number, letter: string) => {
		const text = letter.repeat(length);
		sent[end]?.push(text);
		guest.udp('127.0.0.1', 5000, ports[end], text);
	};
	for (let count = 0; count < 40; count++) say(0, 100, String.fromCharCode(65 + count));
	for (const [index, length] of [50, 100, 0, 0, 100, 2000, 1400, 1400, 1, 3, 2].entries())
		say(0, length, String.fromCharCode(97 + index));
	for (let count = 0; count < 5; count++) {
		say(1, 100, 'x');
		say(0, 100, 'y');
	}
	say(1, 4, 'end');
	say(0, 4, 'end');
	while (got.some((all, end) => all.length < (sent[end]?.length ?? 0)))
		await new Promise((resolve) => setImmediate(resolve));
	t.deepEqual(got, sent);
});

test('the longest datagrams there are go out', async (t) => {
	for (const [host, longest] of [
		['127.0.0.1', 65_507],
		['::1', 65_527],
	] as const) {
		const echo = await udpServer(t, (message) => `${message.length}`, host);
		const {guest} = makeGuest(t);
		for (const length of [longest, 1, longest, longest - 1]) {
			guest.udp(host, 5000, echo.port, new Uint8Array(length));
			t.is((await guest.nextUdp(5000)).data.toString(), `${length}`);
		}
	}
});

test('the longest datagrams there are come in', async (t) => {
	for (const [host, longest] of [
		['127.0.0.1', 65_507],
		['::1', 65_527],
	] as const) {
		const echo = await udpServer(t, (message) => message, host);
		const {guest} = makeGuest(t);
		guest.udp(host, 5000, echo.port, new Uint8Array(longest));
		let length = 0;
		for (let isMore = true; isMore; ) {
			const {protocol, payload, fragment} = await guest.next();
			const isV6 = protocol === 44;
			length += payload.length - (isV6 ? 8 : 0);
			isMore = isV6 ? ((payload[3] as number) & 1) !== 0 : (fragment & 0x2000) !== 0;
		}
		t.is(length, 8 + longest);
	}
});

test('an end of IPv6 may lead to one of IPv4', async (t) => {
	const echo = await udpServer(t, (message) => message);
	const closed = await closedPort('127.0.0.1');
	const target = (port: number) => ({address: '127.0.0.1', port});
	const guestForwards = [
		{protocol: 'udp', address: undefined, port: 7, target: target(echo.port)},
		{protocol: 'udp', address: undefined, port: 9, target: target(closed)},
	] as const;
	const {guest} = makeGuest(t, {guestForwards});
	guest.udp('fd4f:7065:6e56:0:0:0:0:1', 5000, 7, 'by IPv6');
	const {data, source} = await guest.nextUdp(5000);
	t.deepEqual([`${data}`, source], ['by IPv6', 'fd4f:7065:6e56:0:0:0:0:1']);
	guest.udp('fd4f:7065:6e56:0:0:0:0:1', 5000, 9, 'nobody');
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [1, 4], 'a port that nobody has');
});

test('a NIC that its guest gives another address is reached there, by flows of before too', async (t) => {
	const echo = await udpServer(t, (message) => message);
	const {guest} = makeGuest(t);
	const forward = await guest.endpoint.forward({protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 7});
	t.teardown(() => forward.close());
	const sender = createSocket('udp4');
	t.teardown(() => sender.close());
	const reached = async () => {
		sender.send('ping', forward.port, '127.0.0.1');
		return (await guest.next(({udp}) => udp?.port === 7)).toMac;
	};
	const answered = async (fromMac: number[]) => {
		guest.send(udpFrame({...guest.to('127.0.0.1'), fromMac}, 5000, echo.port, 'x'));
		return (await guest.next(({udp}) => udp?.port === 5000)).toMac;
	};
	const [before, after, bridged] = [[...guest.mac], [2, 0, 0, 0, 0, 0xaa], [2, 0, 0, 0, 0, 0xbb]] as const;
	t.deepEqual([await answered([...before]), await reached()], ['00:15:5d:00:00:01', '00:15:5d:00:00:01']);
	t.deepEqual([await answered([...after]), await reached()], ['02:00:00:00:00:aa', '02:00:00:00:00:aa']);
	// Somebody else behind the same NIC, at an address that is not the guest's.
	guest.send(udpFrame({...guest.to('127.0.0.1', '10.0.0.77'), fromMac: [...bridged]}, 5001, echo.port, 'x'));
	t.is((await guest.next(({udp}) => udp?.port === 5001)).toMac, '02:00:00:00:00:bb');
	t.is(await reached(), '02:00:00:00:00:aa');
});

test('options of IPv4 are passed over', async (t) => {
	const echo = await udpServer(t, (message) => message);
	const {guest} = makeGuest(t);
	guest.send(udpFrame({...guest.to('127.0.0.1'), options: [7, 7, 4, 0, 0, 0, 0, 0]}, 5000, echo.port, 'routed'));
	t.is((await guest.nextUdp(5000)).data.toString(), 'routed');
});

test('a port of the host leads to one of the guest, whose answers find who has sent', async (t) => {
	const {guest} = makeGuest(t);
	const forward = await guest.endpoint.forward({protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 7});
	t.teardown(() => forward.close());
	const senders = [createSocket('udp4'), createSocket('udp4')] as const;
	for (const sender of senders) {
		t.teardown(() => sender.close());
		sender.send('ping', forward.port, '127.0.0.1');
	}
	const asked = [await guest.nextUdp(7), await guest.nextUdp(7)];
	for (const {source, sourcePort} of asked.reverse()) {
		t.is(source, '10.0.0.1');
		guest.udp('10.0.0.1', 7, sourcePort, `pong ${sourcePort}`);
	}
	const answers = await Promise.all(senders.map(async (sender) => String((await once(sender, 'message'))[0])));
	t.deepEqual(answers.sort(), asked.map(({sourcePort}) => `pong ${sourcePort}`).sort());
	guest.udp('10.0.0.1', 8, asked[0]?.sourcePort as number, 'from another port');
	guest.udp('10.0.0.1', 8, 9999, 'nobody');
	await guest.next(({payload}) => payload[0] === 3);
	t.pass();
});

test('a port that the host does not give is an error that says so', async (t) => {
	const taken = await udpServer(t, () => undefined);
	const {guest} = makeGuest(t);
	const forward = {protocol: 'udp', hostAddress: '127.0.0.1', hostPort: taken.port, guestPort: 7} as const;
	await t.throwsAsync(guest.endpoint.forward(forward), {code: 'NETWORK_PORT_UNAVAILABLE', message: /EADDRINUSE/});
});

test('nobody has port 0: what is sent there is refused, before and after', async (t) => {
	const {guest, counters} = makeGuest(t, {allow: ['*', '127.0.0.0/8']});
	for (const port of [5000, 5000]) {
		guest.udp('127.0.0.1', port, 0, 'x');
		t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [3, 13]);
	}
	t.is(counters['udpRefused'], 1);
});

test('a function that leads datagrams to a port that is none has refused', async (t) => {
	const {guest} = makeGuest(t, {allow: [], connect: () => ({kind: 'redirect', address: '127.0.0.1', port: 80.5})});
	guest.udp('203.0.113.1', 5000, 9, 'x');
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [3, 13]);
});

test('a function may lead datagrams to a name, whose answers come back, and to one that is nobody’s', async (t) => {
	const echo = await udpServer(t, () => 'answer');
	const {guest} = makeGuest(t, {
		allow: [],
		connect: ({port}) => ({kind: 'redirect', address: port === 9 ? 'localhost' : 'a..b', port: echo.port}),
	});
	guest.udp('93.184.216.34', 5000, 9, 'x');
	const {data, source} = await guest.nextUdp(5000);
	t.deepEqual([data.toString(), source], ['answer', '93.184.216.34']);
	guest.udp('93.184.216.34', 5001, 10, 'x');
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [3, 13]);
});

test('nothing tells of what was for all of the network', async (t) => {
	const {guest} = makeGuest(t);
	guest.udp('10.0.0.255', 5000, 137, 'x');
	guest.udp('10.0.0.0', 5000, 137, 'x');
	await new Promise((resolve) => setImmediate(resolve));
	t.deepEqual(guest.frames, []);
});

test.serial('a NIC that goes while its sockets are being made leaves none', async (t) => {
	const echo = await udpServer(t, () => undefined);
	const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length;
	const before = sockets();
	for (let ticks = 0; ticks < 12; ticks++) {
		const guest = new TestGuest(makeNetwork({ipv6: false}).network);
		guest.udp('127.0.0.1', 5000, echo.port, 'hello');
		for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
		await guest.endpoint.dispose();
	}
	for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
	t.is(sockets(), before);
});

test('a flow hears from so many ends, those that it has met last', async (t) => {
	const [first, last] = [await udpServer(t, () => 'first'), await udpServer(t, () => 'last')];
	const {guest, counters} = makeGuest(t);
	guest.udp('127.0.0.1', 5000, first.port, 'x');
	t.is((await guest.nextUdp(5000)).data.toString(), 'first');
	for (let index = 0; index < 1023; index++) {
		guest.udp(`127.77.${index >> 8}.${index & 255}`, 5000, 9, 'x');
		if (index % 64 === 0) await new Promise(setImmediate);
	}
	await new Promise(setImmediate);
	guest.udp('127.0.0.1', 5000, last.port, 'x');
	t.is((await guest.nextUdp(5000)).data.toString(), 'last');
	// What is sent first comes first.
	await new Promise((sent) => first.socket.send('late', first.senders[0] as number, '127.0.0.1', sent));
	guest.udp('127.0.0.1', 5000, last.port, 'x');
	t.is((await guest.nextUdp(5000)).data.toString(), 'last');
	t.is(counters['tableFull'], 0);
});

test('of what waits for a decision a few datagrams go on', async (t) => {
	const got: string[] = [];
	const server = await udpServer(t, (message) => {
		got.push(`${message}`);
		return 'answer';
	});
	const {promise: decided, resolve: decide} = Promise.withResolvers<Verdict>();
	const {guest} = makeGuest(t, {closed: 'all', allow: [], connect: () => decided});
	for (let index = 0; index < 10; index++) guest.udp('93.184.216.34', 5000, 80, `${index}`);
	await new Promise(setImmediate);
	decide({kind: 'redirect', address: '127.0.0.1', port: server.port});
	for (let index = 0; index < 4; index++) await guest.nextUdp(5000);
	guest.udp('93.184.216.34', 5000, 80, 'later');
	await guest.nextUdp(5000);
	t.deepEqual(got, ['0', '1', '2', '3', 'later']);
});

test('frames that wait for a guest without room are bounded, and the oldest come', async (t) => {
	const {guest, counters} = makeGuest(t);
	guest.hasRoom = false;
	for (let number = 0; number < 300; number++)
		guest.send(icmpFrame(guest.to('10.0.0.1'), 8, 0, [0, 0, number >> 8, number & 255]));
	t.is(counters['dropped'], 300 - 256);
	guest.hasRoom = true;
	guest.endpoint.room();
	await new Promise(setImmediate);
	t.is(guest.frames.length, 256);
	t.is(guest.frames.at(-1)?.payload[7], 255);
});
