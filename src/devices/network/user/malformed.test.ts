import test from 'ava';
import type {Frame} from '#devices/network/endpoint';
import {query} from './testing/dns-messages.ts';
import {be16, be32, icmpFrame, ip, ipFrame, mac, SYN, tcpFrame, udpFrame} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {TestGuest} from './testing/test-guest.ts';

/** What a guest counts such a frame as. */
type Counted = 'malformed' | 'unanswered' | 'nothing';
type Row = readonly [what: string, counted: Counted, frame: Uint8Array, rest?: Partial<Frame>];

const {network} = makeNetwork({allow: []});
const guest = new TestGuest(network, {name: 'web'});
test.after.always(() => guest.endpoint.dispose());

const out = guest.to('10.0.0.1');
const six = guest.to('fd4f:7065:6e56:0:0:0:0:1');
const onLink = {...guest.to('ff02:0:0:0:0:1:ff00:1', 'fe80:0:0:0:0:0:0:9'), hops: 255};

/** A frame with some of its bytes changed. */
function changed(frame: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array {
	const copy = frame.slice();
	copy.set(bytes, at);
	return copy;
}
/** A frame of IPv4 whose header is changed, and right again in its checksum. */
function header4(frame: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array {
	const copy = changed(changed(frame, 14 + at, ...bytes), 24, 0, 0);
	const view = new DataView(copy.buffer);
	const length = Math.max(20, ((copy[14] as number) & 15) * 4);
	let sum = 0;
	for (let i = 0; i < length; i += 2) sum += 14 + i + 1 < copy.length ? view.getUint16(14 + i) : 0;
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	view.setUint16(24, 0xffff - sum);
	return copy;
}

const ping = icmpFrame(out, 8, 0, [0, 1, 0, 2, 3, 4, 5, 6]);
const ping6 = icmpFrame(six, 128, 0, [0, 1, 0, 2, 3, 4, 5, 6]);
const syn = tcpFrame(out, {sourcePort: 5, port: 53, sequence: 7, flags: SYN});
const syn6 = tcpFrame(six, {sourcePort: 5, port: 53, sequence: 7, flags: SYN});
const asked = udpFrame(out, 9, 53, query('a.internal'));
const asked6 = udpFrame(six, 9, 53, query('a.internal'));
const arp = Uint8Array.from([
	...[255, 255, 255, 255, 255, 255, ...guest.mac, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1],
	...[...guest.mac, ...ip('10.0.0.2'), 0, 0, 0, 0, 0, 0, ...ip('10.0.0.1')],
]);
/** A DHCP message (RFC 2131, 2). */
const dhcp = (...options: readonly number[]): Uint8Array =>
	Uint8Array.from([
		...[1, 1, 6, 0, ...be32(0x1234_5678), 0, 0, 0x80, 0, ...new Array(16).fill(0), ...guest.mac],
		...[...new Array(202).fill(0), 0x63, 0x82, 0x53, 0x63, ...options],
	]);
const lent = (message: Uint8Array) => udpFrame(out, 68, 67, message);
const discover = dhcp(53, 1, 1, 255);
const dhcp6 = (...bytes: readonly number[]) =>
	udpFrame(guest.to('ff02:0:0:0:0:0:1:2', onLink.source), 546, 547, Uint8Array.from(bytes));
const isChecked = {isChecked: true};
const extension = (next: number, ...bytes: readonly number[]) => ipFrame(next, [...bytes, ...ping6.subarray(54)], six);

const rows: readonly Row[] = [
	['Ethernet: nothing', 'malformed', new Uint8Array()],
	['Ethernet: a header that is cut off', 'malformed', ping.subarray(0, 13)],
	['Ethernet: a header alone', 'malformed', ping.subarray(0, 14)],
	['Ethernet: a length in the place of a type', 'unanswered', changed(ping, 12, 0, 46)],
	['Ethernet: a tag of a VLAN', 'unanswered', changed(ping, 12, 0x81, 0)],
	['Ethernet: for another host', 'nothing', changed(ping, 0, ...mac('52:55:0a:00:00:07'))],

	['ARP: cut off', 'nothing', arp.subarray(0, 41)],
	['ARP: of another kind of link', 'nothing', changed(arp, 14, 0, 6)],
	['ARP: of another protocol', 'nothing', changed(arp, 16, 0x86, 0xdd)],
	['ARP: hardware addresses of 255 bytes', 'nothing', changed(arp, 18, 255)],
	['ARP: protocol addresses of no bytes', 'nothing', changed(arp, 19, 0)],
	['ARP: an operation that is none', 'nothing', changed(arp, 20, 255, 255)],
	['ARP: an answer that nobody has asked for', 'nothing', changed(arp, 20, 0, 2)],

	['IPv4: a header that is cut off', 'malformed', ping.subarray(0, 33)],
	['IPv4: another version', 'malformed', header4(ping, 0, 0x65)],
	['IPv4: a header of no bytes', 'malformed', header4(ping, 0, 0x40)],
	['IPv4: a header that is too short', 'malformed', header4(ping, 0, 0x44)],
	['IPv4: a header that is longer than the packet', 'malformed', header4(ping, 0, 0x4f)],
	['IPv4: shorter than its header', 'malformed', header4(ping, 2, 0, 19)],
	['IPv4: longer than its frame', 'malformed', header4(ping, 2, ...be16(ping.length - 13))],
	// What lies behind it is another frame's.
	[
		'IPv4: longer than its frame, whose checksum nobody looks at',
		'malformed',
		header4(ping, 2, ...be16(ping.length - 13)),
		isChecked,
	],
	['IPv4: of 65535 bytes', 'malformed', header4(ping, 2, 255, 255)],
	['IPv4: a wrong checksum', 'malformed', changed(ping, 24, 0, 0)],
	['IPv4: a protocol that nobody has', 'unanswered', header4(ping, 9, 255)],
	['IPv4: a message of IPv6', 'unanswered', header4(ping, 9, 58), isChecked],

	['IPv6: a header that is cut off', 'malformed', ping6.subarray(0, 53)],
	['IPv6: another version', 'malformed', changed(ping6, 14, 0x40)],
	['IPv6: longer than its frame', 'malformed', changed(ping6, 18, ...be16(ping6.length - 53))],
	[
		'IPv6: longer than its frame, whose checksum nobody looks at',
		'malformed',
		changed(ping6, 18, ...be16(ping6.length - 53)),
		isChecked,
	],
	['IPv6: nothing follows', 'unanswered', changed(ping6, 20, 59)],
	['IPv6: an extension that is cut off', 'malformed', ipFrame(0, [58], six)],
	['IPv6: an extension that is longer than the packet', 'malformed', extension(0, 58, 255, 0, 0, 0, 0, 0, 0)],
	['IPv6: a fragment that is cut off', 'malformed', ipFrame(44, [58, 0, 0, 1], six)],
	['IPv6: a message of IPv4', 'unanswered', changed(ping6, 20, 1), isChecked],

	['ICMP: cut off', 'malformed', ipFrame(1, [8, 0, 0], out), isChecked],
	['ICMP: an echo without number', 'unanswered', ipFrame(1, [8, 0, 0, 0, 0], out), isChecked],
	['ICMP: a wrong checksum', 'malformed', changed(ping, 36, 1)],
	['ICMP: a code that an echo has not', 'unanswered', icmpFrame(out, 8, 9, [0, 1, 0, 2])],
	['ICMP: a type that is none', 'unanswered', icmpFrame(out, 255, 0, [0, 1, 0, 2])],
	['ICMP: an answer that nobody has asked for', 'unanswered', icmpFrame(out, 0, 0, [0, 1, 0, 2])],
	['ICMP: an error that tells of nothing', 'unanswered', icmpFrame(out, 3, 4, [0, 0, 0, 68])],
	['ICMP: a redirection', 'unanswered', icmpFrame(out, 5, 1, [10, 0, 0, 9])],
	['ICMPv6: a wrong checksum', 'malformed', changed(ping6, 56, 1)],
	['ICMPv6: a solicitation without target', 'unanswered', icmpFrame(onLink, 135, 0, [0, 0, 0, 0, 0xfe, 0x80])],
	['ICMPv6: another router', 'unanswered', icmpFrame(onLink, 134, 0, new Array(12).fill(255))],
	[
		'ICMPv6: a neighbour that has the gateway’s address',
		'unanswered',
		icmpFrame(onLink, 136, 0, [0xe0, 0, 0, 0, ...ip('fe80:0:0:0:5055:aff:fe00:1')]),
	],

	['TCP: cut off before its checksum', 'malformed', ipFrame(6, [...syn.subarray(34, 51)], out), isChecked],
	['TCP: cut off in its header', 'malformed', ipFrame(6, [...syn.subarray(34, 53)], out), isChecked],
	['TCP: a header of no bytes', 'malformed', changed(syn, 46, 0), isChecked],
	['TCP: a header that is too short', 'malformed', changed(syn, 46, 0x40), isChecked],
	['TCP: a header that is longer than the packet', 'malformed', changed(syn, 46, 0xf0), isChecked],
	['TCP: a wrong checksum', 'malformed', changed(syn, 50, 1)],
	['TCP: no checksum', 'malformed', changed(syn, 50, 0, 0)],
	['TCP: a wrong checksum, by IPv6', 'malformed', changed(syn6, 70, 1)],
	['TCP: to all', 'unanswered', header4(syn, 16, 255, 255, 255, 255), isChecked],
	['TCP: from nobody', 'unanswered', header4(syn, 12, 0, 0, 0, 0), isChecked],

	['UDP: cut off', 'malformed', ipFrame(17, [...asked.subarray(34, 41)], out), isChecked],
	['UDP: shorter than its header', 'malformed', changed(asked, 38, 0, 7), isChecked],
	['UDP: longer than its packet', 'malformed', changed(asked, 38, ...be16(asked.length - 33)), isChecked],
	['UDP: of 65535 bytes', 'malformed', changed(asked, 38, 255, 255), isChecked],
	['UDP: a wrong checksum', 'malformed', changed(asked, 40, 1)],
	['UDP: no checksum, by IPv6', 'malformed', changed(asked6, 60, 0, 0)],

	['DNS: nothing', 'nothing', udpFrame(out, 9, 53, '')],
	['DNS: a header that is cut off', 'nothing', udpFrame(out, 9, 53, query('a.internal').subarray(0, 11))],
	['DNS: an answer', 'nothing', udpFrame(out, 9, 53, changed(query('a.internal'), 2, 0x81))],

	['DHCP: cut off', 'malformed', lent(discover.subarray(0, 239))],
	['DHCP: an answer', 'malformed', lent(changed(discover, 0, 2))],
	['DHCP: another kind of link', 'malformed', lent(changed(discover, 1, 6))],
	['DHCP: addresses of 255 bytes', 'malformed', lent(changed(discover, 2, 255))],
	['DHCP: no cookie', 'malformed', lent(changed(discover, 236, 0))],
	['DHCP: no options', 'malformed', lent(dhcp())],
	['DHCP: an option without length', 'malformed', lent(dhcp(53))],
	['DHCP: an option that is longer than the message', 'malformed', lent(dhcp(53, 2, 1))],
	['DHCP: a type without bytes', 'malformed', lent(dhcp(53, 0, 255))],
	['DHCP: a type that is none', 'malformed', lent(dhcp(53, 1, 0, 255))],
	['DHCP: a type behind its end', 'malformed', lent(dhcp(255, 53, 1, 1))],
	[
		'DHCP: a type behind more options than are read',
		'malformed',
		lent(dhcp(...new Array(128).fill([12, 0]).flat(), 53, 1, 1)),
	],
	['DHCPv6: nothing', 'malformed', dhcp6()],
	['DHCPv6: cut off', 'malformed', dhcp6(11, 1, 2)],
	['DHCPv6: an option that is cut off', 'malformed', dhcp6(11, 1, 2, 3, 0, 1, 0)],
	['DHCPv6: an option that is longer than the message', 'malformed', dhcp6(11, 1, 2, 3, 0, 1, 255, 255)],
	['DHCPv6: a client of too many bytes', 'malformed', dhcp6(11, 1, 2, 3, 0, 1, 0, 131, ...new Array(131).fill(1))],
];

const counters = (guest.endpoint as unknown as {counters: Record<string, number>}).counters;
const now = () => ({
	...Object.fromEntries(
		['malformed', 'unanswered', 'tcpConnections', 'udpFlows', 'framesOut', 'tcpOpened', 'udpOpened'].map((name) => [
			name,
			counters[name] as number,
		]),
	),
});

for (const [what, counted, frame, rest] of rows)
	test.serial(what, async (t) => {
		guest.frames.length = 0;
		const before = now();
		guest.send(frame, rest);
		await new Promise((resolve) => setImmediate(resolve));
		t.deepEqual(guest.frames, [], 'nobody answers');
		t.deepEqual(now(), counted === 'nothing' ? before : {...before, [counted]: (before[counted] as number) + 1});
	});

/** Frames that the rows are made of, and what answers each: a row is of no use whose frame has never been right. */
const right: readonly (readonly [what: string, frame: Uint8Array, rest?: Partial<Frame>])[] = [
	['ARP', arp],
	['ICMP', ping],
	['ICMPv6', ping6],
	['TCP', syn],
	['TCP by IPv6', syn6],
	[
		'TCP whose checksum nobody looks at',
		changed(tcpFrame(out, {sourcePort: 6, port: 53, sequence: 7, flags: SYN}), 50, 1),
		isChecked,
	],
	['DNS', asked],
	['DNS by IPv6', asked6],
	['UDP without checksum', changed(asked, 40, 0, 0)],
	['DHCP', lent(discover)],
	['DHCP with as many options as are read', lent(dhcp(...new Array(127).fill([12, 0]).flat(), 53, 1, 1))],
	['DHCPv6', dhcp6(11, 1, 2, 3, 0, 1, 0, 130, ...new Array(130).fill(1))],
	['an extension of IPv6', extension(0, 58, 0, 0, 0, 0, 0, 0, 0)],
	['options of IPv4', icmpFrame({...out, options: [1, 1, 1, 0]}, 8, 0, [0, 1, 0, 2])],
];
for (const [what, frame, rest] of right)
	test.serial(`what is right is answered: ${what}`, async (t) => {
		guest.frames.length = 0;
		guest.send(frame, rest);
		t.truthy(await guest.next());
		guest.frames.length = 0;
	});
