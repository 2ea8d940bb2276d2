import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {ACK, RST, SYN, tcpFrame} from './testing/frames.ts';
import {makeNetwork, type NetworkChoices} from './testing/make-network.ts';
import {TestGuest} from './testing/test-guest.ts';

const gateway6 = 'fd4f:7065:6e56:0:0:0:0:1';

function makeGuest(t: ExecutionContext, choices: NetworkChoices = {}) {
	const {network, clock} = makeNetwork(choices);
	const join = (number: number) => {
		const guest = new TestGuest(network, {number});
		t.teardown(() => guest.endpoint.dispose());
		return guest;
	};
	const first = join(1);
	const forward = async (protocol: 'tcp' | 'udp', guestAddress: string) => {
		const opened = await first.endpoint.forward({
			...{protocol, guestAddress, hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22},
		});
		t.teardown(() => opened.close());
		return opened.port;
	};
	return {first, join, forward, clock};
}

/** Connects from the host. What becomes of it is awaited with its end. */
function dial(t: ExecutionContext, port: number) {
	const socket = connect(port, '127.0.0.1');
	socket.on('error', () => undefined);
	t.teardown(() => socket.destroy());
	return {ended: new Promise((ended) => void socket.resume().once('close', ended))};
}

test('a port of the host leads to the guest of the switch that its address names, while there is one', async (t) => {
	const {first, join, forward} = makeGuest(t, {isShared: true});
	const port = await forward('tcp', '10.0.0.3');
	await dial(t, port).ended;
	t.deepEqual(first.frames, [], 'it is another’s');
	const second = join(2);
	const {ended} = dial(t, port);
	const {tcp, destination, toMac} = await second.next();
	t.deepEqual([tcp?.flags, tcp?.port, destination, toMac], [SYN, 22, '10.0.0.3', '00:15:5d:00:00:02']);
	await second.endpoint.dispose();
	await ended;
	const {ended: again} = dial(t, port);
	await again;
	t.deepEqual(first.frames, []);
});

test('what a connection of the host says first is waited for', async (t) => {
	const {first, forward, clock} = makeGuest(t);
	const port = await forward('tcp', '10.0.0.2');
	const before = clock.begun;
	dial(t, port);
	t.is((await first.next()).tcp?.flags, SYN);
	t.true(clock.begun > before, 'Node’s loop has heard of its socket');
});

test('datagrams find the guest that has the address now, and its answers who has sent', async (t) => {
	const {first, join, forward} = makeGuest(t, {isShared: true});
	const port = await forward('udp', '10.0.0.3');
	const sender = createSocket('udp4');
	t.teardown(() => sender.close());
	for (const number of [2, 3]) {
		const guest = join(number);
		sender.send('ping', port, '127.0.0.1');
		const {sourcePort, destination, source} = await guest.nextUdp(22);
		t.deepEqual([source, destination], ['10.0.0.1', '10.0.0.3']);
		const answered = once(sender, 'message');
		guest.udp('10.0.0.1', 22, sourcePort, `pong ${number}`);
		t.is(String((await answered)[0]), `pong ${number}`);
		await guest.endpoint.dispose();
	}
	t.deepEqual(first.frames, []);
});

for (const [how, address] of [
	['DHCPv6 gives it', 'fd4f:7065:6e56:0:0:0:a00:2'],
	['it makes of its NIC’s', 'fd4f:7065:6e56:0:215:5dff:fe00:1'],
] as const)
	test(`a guest is reached by the address of IPv6 that ${how}`, async (t) => {
		const {first, forward} = makeGuest(t);
		const {ended} = dial(t, await forward('tcp', address));
		const {tcp, source, destination} = await first.next();
		t.deepEqual([tcp?.flags, source, destination], [SYN, gateway6, address]);
		const {sourcePort = 0, sequence = 0} = tcp ?? {};
		const reset = {sourcePort: 22, port: sourcePort, sequence: 0, acknowledgment: sequence + 1, flags: RST | ACK};
		first.send(tcpFrame(first.to(gateway6, address), reset));
		await ended;
		const sender = createSocket('udp4');
		t.teardown(() => sender.close());
		sender.send('ping', await forward('udp', address), '127.0.0.1');
		const asked = await first.nextUdp(22);
		t.deepEqual([asked.source, asked.destination, String(asked.data)], [gateway6, address, 'ping']);
	});

test('an address that no guest can have is an error that says which there are', async (t) => {
	const alone = makeGuest(t, {ipv6: false});
	for (const address of ['10.0.0.3', '10.0.0.1', '192.168.0.2', 'fd4f:7065:6e56::a00:2'])
		await t.throwsAsync(alone.forward('tcp', address), {
			code: 'NETWORK_GUEST_UNKNOWN',
			message: `A port of the host is to lead to ${address}, which no guest of 10.0.0.1/24 is given: its guest has 10.0.0.2`,
		});
	const shared = makeGuest(t, {isShared: true});
	for (const address of ['10.0.0.1', '10.0.0.255', '10.0.1.2', 'fd4f:7065:6e56::1', 'fe80::1'])
		await t.throwsAsync(shared.forward('udp', address), {code: 'NETWORK_GUEST_UNKNOWN', message: /behind the gateway/});
	await t.notThrowsAsync(shared.forward('tcp', 'fd4f:7065:6e56::77'));
});
