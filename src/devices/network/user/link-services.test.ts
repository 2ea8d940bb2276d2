import test from 'ava';
import {be16, be32, icmpFrame, ip, mac, udpFrame} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {gatewayMac, TestGuest} from './testing/test-guest.ts';

const broadcast = mac('ff:ff:ff:ff:ff:ff');

function makeGuest(cidr?: string) {
	const made = makeNetwork(cidr === undefined ? {} : {cidr});
	return {...made, guest: new TestGuest(made.network, {name: 'web'})};
}

/** An ARP packet (RFC 826). */
const arp = (guest: TestGuest, operation: number, sender: string, target: string): Uint8Array =>
	Uint8Array.from([
		...[...broadcast, ...guest.mac, 0x08, 0x06],
		...[0, 1, 8, 0, 6, 4, ...be16(operation), ...guest.mac, ...ip(sender), 0, 0, 0, 0, 0, 0, ...ip(target)],
	]);

test('the gateway answers for its own address alone', async (t) => {
	const {guest} = makeGuest();
	guest.send(arp(guest, 1, '10.0.0.2', '10.0.0.7'));
	guest.send(arp(guest, 2, '10.0.0.2', '10.0.0.1'));
	guest.send(arp(guest, 1, '10.0.0.2', '10.0.0.1').subarray(0, 41));
	t.is(guest.frames.length, 0);
	guest.send(arp(guest, 1, '10.0.0.2', '10.0.0.1'));
	const {payload, toMac, type} = await guest.next();
	t.is(type, 0x0806);
	t.is(toMac, '00:15:5d:00:00:01');
	t.deepEqual([...payload], [0, 1, 8, 0, 6, 4, 0, 2, ...mac(gatewayMac), 10, 0, 0, 1, ...guest.mac, 10, 0, 0, 2]);
});

test('the gateway answers for the addresses on the link that lead somewhere', async (t) => {
	const target = {address: '127.0.0.1', port: 9};
	const forward = (address: string) => ({protocol: 'tcp', address, port: 80, target}) as const;
	const {network} = makeNetwork({guestForwards: [forward('10.0.0.100'), forward('fd4f:7065:6e56::64')]});
	const guest = new TestGuest(network);
	guest.send(arp(guest, 1, '10.0.0.2', '10.0.0.101'));
	t.is(guest.frames.length, 0);
	guest.send(arp(guest, 1, '10.0.0.2', '10.0.0.100'));
	t.deepEqual([...(await guest.next()).payload.subarray(8, 18)], [...mac(gatewayMac), 10, 0, 0, 100]);
	const six = 'fd4f:7065:6e56:0:0:0:0:64';
	const toGroup = {...guest.to('ff02:0:0:0:0:1:ff00:64', guestLocal), hops: 255};
	guest.send(icmpFrame(toGroup, 135, 0, [0, 0, 0, 0, ...ip(six), 1, 1, ...guest.mac]));
	const {payload, source} = await guest.next();
	t.deepEqual([source, ...payload.subarray(4, 24)], [six, 0xe0, 0, 0, 0, ...ip(six)]);
});

/** A DHCP message of a client (RFC 2131, 2). */
const dhcp = (guest: TestGuest, options: readonly number[], {client = '0.0.0.0', flags = 0x8000} = {}): Uint8Array =>
	Uint8Array.from([
		...[1, 1, 6, 0, ...be32(0x1234_5678), 0, 0, ...be16(flags), ...ip(client), ...new Array(12).fill(0), ...guest.mac],
		...new Array(10 + 64 + 128).fill(0),
		...[0x63, 0x82, 0x53, 0x63, ...options, 255],
	]);

function options(message: Buffer): Map<number, number[]> {
	const found = new Map<number, number[]>();
	for (let at = 240; message[at] !== 255; at += 2 + (message[at + 1] as number))
		found.set(message[at] as number, [...message.subarray(at + 2, at + 2 + (message[at + 1] as number))]);
	return found;
}

const fromNowhere = (guest: TestGuest) => ({...guest.to('255.255.255.255', '0.0.0.0'), toMac: broadcast});

async function ask(guest: TestGuest, message: Uint8Array) {
	guest.send(udpFrame(fromNowhere(guest), 68, 67, message));
	return guest.nextUdp(68);
}

test('a guest is lent an address, and told of the gateway, resolver, names and MTU', async (t) => {
	const {guest} = makeGuest('192.168.77.128/25');
	const offer = await ask(guest, dhcp(guest, [53, 1, 1]));
	t.true(offer.data.length >= 300);
	t.is(offer.data.readUInt32BE(4), 0x1234_5678);
	t.deepEqual([...offer.data.subarray(16, 20)], ip('192.168.77.130'));
	t.is(offer.destination, '255.255.255.255');
	const told = options(offer.data);
	t.deepEqual(told.get(53), [2]);
	t.deepEqual(told.get(1), [255, 255, 255, 128]);
	t.deepEqual(told.get(3), ip('192.168.77.129'));
	t.deepEqual(told.get(6), ip('192.168.77.129'));
	t.deepEqual(told.get(51), be32(86_400));
	t.deepEqual(told.get(26), be16(1500));
	t.is(Buffer.from(told.get(12) ?? []).toString(), 'web');
	t.is(Buffer.from(told.get(15) ?? []).toString(), 'internal');
	const server = [54, 4, ...ip('192.168.77.129')];
	const ack = await ask(guest, dhcp(guest, [53, 1, 3, 50, 4, ...ip('192.168.77.130'), ...server]));
	t.deepEqual(options(ack.data).get(53), [5]);
});

test('another address is refused, another server left alone, and who has an address is answered there', async (t) => {
	const {guest} = makeGuest();
	const nak = await ask(guest, dhcp(guest, [53, 1, 3, 50, 4, ...ip('10.0.0.9')]));
	t.is(nak.data.length, 300);
	t.deepEqual(options(nak.data).get(53), [6]);
	t.deepEqual([...nak.data.subarray(16, 20)], [0, 0, 0, 0]);
	guest.send(udpFrame(fromNowhere(guest), 68, 67, dhcp(guest, [53, 1, 3, 54, 4, ...ip('10.0.0.200')])));
	t.is(guest.frames.length, 0);
	guest.udp('10.0.0.1', 68, 67, dhcp(guest, [53, 1, 3], {client: '10.0.0.2', flags: 0}));
	const renewed = await guest.nextUdp(68);
	t.is(renewed.destination, '10.0.0.2');
	t.deepEqual(options(renewed.data).get(53), [5]);
	const informed = await ask(guest, dhcp(guest, [53, 1, 8], {client: '10.0.0.2'}));
	t.false(options(informed.data).has(51));
});

test('what is no DHCP message has no answer', (t) => {
	const {guest} = makeGuest();
	const right = dhcp(guest, [53, 1, 1]);
	const wrong = [
		right.subarray(0, 239),
		right.with(0, 2),
		right.with(1, 2),
		right.with(236, 0),
		dhcp(guest, [53, 200, 1]),
		dhcp(guest, [0, 0]),
	];
	for (const message of wrong) guest.udp('10.0.0.1', 68, 67, message);
	t.is(guest.frames.length, 0);
	t.is((guest.endpoint as unknown as {counters: {malformed: number}}).counters.malformed, wrong.length);
});

const linkLocal = 'fe80:0:0:0:5055:aff:fe00:1';
const guestLocal = 'fe80:0:0:0:215:5dff:fe00:1';

test('a router advertises its prefix, MTU and resolver to who asks, and from time to time', async (t) => {
	const {guest, clock} = makeGuest();
	const fields = {...guest.to('ff02:0:0:0:0:0:0:2', guestLocal), hops: 255};
	guest.send(icmpFrame({...fields, hops: 64}, 133, 0, [0, 0, 0, 0]));
	t.is(guest.frames.length, 0, 'it has not come from the link');
	guest.send(icmpFrame(fields, 133, 0, [0, 0, 0, 0]));
	const {payload, source, destination, hops, toMac} = await guest.next();
	t.is(source, linkLocal);
	t.is(destination, 'ff02:0:0:0:0:0:0:1');
	t.is(toMac, '33:33:00:00:00:01');
	t.is(hops, 255);
	t.deepEqual([...payload.subarray(4, 8)], [64, 0x40, ...be16(9000)]);
	const prefix = 'fd4f:7065:6e56:0:0:0:0:0';
	t.deepEqual(
		[...payload.subarray(16)],
		[
			...[1, 1, ...mac(gatewayMac)],
			...[5, 1, 0, 0, ...be32(1500)],
			...[3, 4, 64, 0xc0, ...be32(2_592_000), ...be32(604_800), 0, 0, 0, 0, ...ip(prefix)],
			...[25, 3, 0, 0, ...be32(3600), ...ip('fd4f:7065:6e56:0:0:0:0:1')],
		],
	);
	clock.pass(600_000);
	t.is((await guest.next()).payload[0], 134);
	clock.pass(600_000);
	t.is((await guest.next()).payload[0], 134);
});

test('neighbours that ask for the gateway are answered; who looks for a free address is not', async (t) => {
	const {guest} = makeGuest();
	const solicit = (target: string, source = guestLocal, hops = 255) =>
		icmpFrame({...guest.to('ff02:0:0:0:0:1:ff00:1', source), hops}, 135, 0, [
			0,
			0,
			0,
			0,
			...ip(target),
			1,
			1,
			...guest.mac,
		]);
	guest.send(solicit(linkLocal, '0:0:0:0:0:0:0:0'));
	guest.send(solicit('fe80:0:0:0:0:0:0:77'));
	guest.send(solicit(linkLocal, guestLocal, 254));
	t.is(guest.frames.length, 0);
	for (const target of [linkLocal, 'fd4f:7065:6e56:0:0:0:0:1']) {
		guest.send(solicit(target));
		const {payload, source, destination} = await guest.next();
		t.is(source, target);
		t.is(destination, guestLocal);
		t.deepEqual([...payload.subarray(0, 2)], [136, 0]);
		t.deepEqual([...payload.subarray(4)], [0xe0, 0, 0, 0, ...ip(target), 2, 1, ...mac(gatewayMac)]);
	}
});

test('who asks by DHCPv6 for the resolver is told; who asks for nothing is not', async (t) => {
	const {guest} = makeGuest();
	const fields = guest.to('ff02:0:0:0:0:0:1:2', guestLocal);
	const id = [0, 1, 0, 4, 1, 2, 3, 4];
	guest.send(udpFrame(fields, 546, 547, Uint8Array.from([1, 9, 9, 9, ...id])));
	guest.send(udpFrame(fields, 546, 547, Uint8Array.from([11, 9, 9, 9, 0, 1, 0, 40, 1])));
	t.is(guest.frames.length, 0);
	guest.send(udpFrame(fields, 546, 547, Uint8Array.from([11, 9, 8, 7, ...id])));
	const {data, source} = await guest.nextUdp(546);
	t.is(source, linkLocal);
	t.deepEqual(
		[...data],
		[
			...[7, 9, 8, 7, ...id],
			...[0, 2, 0, 10, 0, 3, 0, 1, ...mac(gatewayMac)],
			...[0, 23, 0, 16, ...ip('fd4f:7065:6e56:0:0:0:0:1')],
			...[0, 24, 0, 10, 8, ...Buffer.from('internal'), 0],
		],
	);
});

test('who asks by DHCPv6 for an address has the one of its IPv4, again and again', async (t) => {
	const {guest} = makeGuest();
	const fields = guest.to('ff02:0:0:0:0:0:1:2', guestLocal);
	const client = [0, 1, 0, 4, 1, 2, 3, 4];
	const server = [0, 2, 0, 10, 0, 3, 0, 1, ...mac(gatewayMac)];
	const own = ip('fd4f:7065:6e56:0:0:0:a00:2');
	const day = [0, 1, 0x51, 0x80];
	const asked = [0, 3, 0, 12, 9, 8, 7, 6, ...new Array<number>(8).fill(0)];
	const having = (address: readonly number[]) => [
		0,
		3,
		0,
		40,
		9,
		8,
		7,
		6,
		...new Array<number>(8).fill(0),
		0,
		5,
		0,
		24,
		...address,
		...new Array<number>(8).fill(0),
	];
	const given = [0, 3, 0, 40, 9, 8, 7, 6, 0, 0, 0xa8, 0xc0, 0, 1, 0x0e, 0, 0, 5, 0, 24, ...own, ...day, ...day];
	const rest = [0, 23, 0, 16, ...ip('fd4f:7065:6e56:0:0:0:0:1'), 0, 24, 0, 10, 8, ...Buffer.from('internal'), 0];
	const ask = async (type: number, ...options: readonly number[]) => {
		guest.send(udpFrame(fields, 546, 547, Uint8Array.from([type, 1, 2, 3, ...client, ...options])));
		return [...(await guest.nextUdp(546)).data];
	};
	t.deepEqual(await ask(1, ...asked), [2, 1, 2, 3, ...client, ...server, ...given, ...rest], 'an offer');
	t.deepEqual(await ask(1, ...asked, 0, 14, 0, 0), [7, 1, 2, 3, ...client, ...server, 0, 14, 0, 0, ...given, ...rest]);
	for (const type of [3, 5])
		t.deepEqual(await ask(type, ...server, ...asked), [7, 1, 2, 3, ...client, ...server, ...given, ...rest]);
	t.deepEqual(await ask(6, ...having(own)), [7, 1, 2, 3, ...client, ...server, ...given, ...rest]);
	const told = (code: number) => [7, 1, 2, 3, ...client, ...server, 0, 13, 0, 2, 0, code, ...rest];
	t.deepEqual(await ask(4, ...having(own)), told(0));
	t.deepEqual(await ask(4, ...having(ip('fd00:0:0:0:0:0:0:1'))), told(4), 'it is from elsewhere');
	t.deepEqual(await ask(8, ...server, ...having(own)), told(0));
	const wrong = [
		[3, ...client, ...asked],
		[3, ...client, 0, 2, 0, 1, 7, ...asked],
		[1, ...asked],
		[1, ...client, 0, 3, 0, 4, 1, 2, 3, 4],
		[4, ...client, ...asked],
		[12, ...client, ...asked],
	];
	for (const [type = 0, ...options] of wrong)
		guest.send(udpFrame(fields, 546, 547, Uint8Array.from([type, 1, 2, 3, ...options])));
	guest.send(udpFrame(fields, 546, 547, new Uint8Array()));
	t.is(guest.frames.length, 0);
});

test('where there is no IPv6 nobody gets an address of it by DHCPv6', async (t) => {
	const guest = new TestGuest(makeNetwork({ipv6: false}).network);
	const asked = [1, 1, 2, 3, 0, 1, 0, 1, 5, 0, 3, 0, 12, 9, 8, 7, 6, ...new Array<number>(8).fill(0)];
	guest.send(udpFrame(guest.to('ff02:0:0:0:0:0:1:2', guestLocal), 546, 547, Uint8Array.from(asked)));
	const data = [...(await guest.nextUdp(546)).data];
	t.deepEqual(data.slice(23, 23 + 22), [0, 3, 0, 18, 9, 8, 7, 6, ...new Array<number>(8).fill(0), 0, 13, 0, 2, 0, 2]);
});

test('the gateway answers echo requests, in pieces where they are long; others are told that there is no way', async (t) => {
	const guest = new TestGuest(makeNetwork({closed: 'all', allow: []}).network);
	guest.send(icmpFrame(guest.to('10.0.0.1'), 8, 0, [0, 5, 0, 1, 1, 2, 3]));
	const answer = await guest.next();
	t.deepEqual([...answer.payload.subarray(0, 2), ...answer.payload.subarray(4)], [0, 0, 0, 5, 0, 1, 1, 2, 3]);
	guest.send(icmpFrame(guest.to('fd4f:7065:6e56:0:0:0:0:1'), 128, 0, [0, 5, 0, 1, 9]));
	t.is((await guest.next()).payload[0], 129);
	guest.send(icmpFrame(guest.to('203.0.113.9'), 8, 0, [0, 5, 0, 1]));
	const {payload, source} = await guest.next();
	t.is(source, '203.0.113.9');
	t.deepEqual([...payload.subarray(0, 2)], [3, 13]);
	t.deepEqual(
		[...payload.subarray(8, 10), ...payload.subarray(20, 28)],
		[0x45, 0, ...ip('10.0.0.2'), ...ip('203.0.113.9')],
	);
	t.deepEqual([...payload.subarray(28)].slice(0, 2), [8, 0]);
	guest.send(icmpFrame(guest.to('2001:4860:0:0:0:0:0:8'), 128, 0, [0, 5, 0, 1]));
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [1, 1]);
	guest.send(icmpFrame(guest.to('10.0.0.9'), 8, 0, [0, 5, 0, 1]));
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [3, 1], 'nobody has it on the link');
});
