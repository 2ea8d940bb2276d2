import {bits, bytes, flag, packed, reserved, u8, u16, u32} from '#support/wire';
import type {NetworkPlan} from '../plan.ts';

/** A DHCP message, as far as its options. */
export const Dhcp = packed('dhcp', {
	operation: u8,
	hardware: u8.initial(1),
	hardwareBytes: u8.initial(6),
	hops: u8,
	transaction: u32.be,
	seconds: u16.be,
	flags: bits(u16.be, {broadcast: flag(15)}),
	client: bytes(4),
	yours: bytes(4),
	server: bytes(4),
	relay: bytes(4),
	clientMac: bytes(6),
	padding: reserved(10),
	serverName: reserved(64),
	file: reserved(128),
	cookie: u32.be.initial(0x6382_5363),
}).sized(240, 'RFC 2131, 2; RFC 2132, 2');

/** Options (RFC 2132; RFC 2132, 3.14 for MTU's 5.1). */
const Option = {
	PAD: 0,
	MASK: 1,
	ROUTER: 3,
	DNS: 6,
	HOST_NAME: 12,
	DOMAIN: 15,
	MTU: 26,
	REQUESTED: 50,
	LEASE: 51,
	TYPE: 53,
	SERVER: 54,
	RENEW: 58,
	REBIND: 59,
	END: 255,
} as const;

const MessageType = {DISCOVER: 1, OFFER: 2, REQUEST: 3, DECLINE: 4, ACK: 5, NAK: 6, RELEASE: 7, INFORM: 8} as const;

export const dhcpPorts = {server: 67, client: 68} as const;
/** How long an address is lent, in seconds: OpenVMM's day. */
const leaseSeconds = 86_400;
/** A BOOTP message has its 64 bytes of options (RFC 951, 3; RFC 1542, 2.1), and some look for them. */
const leastBytes = 300;
/** Options of one message that are walked over. */
const mostOptions = 128;

/** What a guest is told. */
export interface Lease {
	readonly plan: NetworkPlan;
	readonly address: Uint8Array;
	readonly name: string;
	readonly domain: string;
	readonly mtu: number;
}

/** An answer, and to whom: everybody on the link, or the address that the guest has. */
export interface DhcpAnswer {
	readonly message: Uint8Array;
	readonly to: Uint8Array | undefined;
}

const number32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const same = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
	one !== undefined && Buffer.compare(one, other) === 0;

/** Answers a guest's message (RFC 2131, 4.3); undefined where it is to have no answer, or is none. */
export function answerDhcp(request: Uint8Array, lease: Lease): DhcpAnswer | undefined {
	if (!Dhcp.fits(request)) return undefined;
	const {operation, hardware, hardwareBytes, cookie, ...asked} = Dhcp.read(request);
	if (operation !== 1 || hardware !== 1 || hardwareBytes !== 6 || cookie !== 0x6382_5363) return undefined;
	const options = readOptions(request.subarray(Dhcp.size));
	const type = options.get(Option.TYPE)?.[0];
	const kind = answerKind(type, options, asked.client, lease);
	if (kind === undefined) return undefined;
	const hasAddress = asked.client.some((byte) => byte !== 0);
	const isGiven = kind !== MessageType.NAK && type !== MessageType.INFORM;
	const header = Dhcp.encode({
		operation: 2,
		transaction: asked.transaction,
		flags: asked.flags,
		client: kind === MessageType.NAK ? new Uint8Array(4) : asked.client,
		yours: isGiven ? lease.address : new Uint8Array(4),
		clientMac: asked.clientMac,
	});
	const told = encodeOptions(kind, type === MessageType.INFORM, lease);
	const message = new Uint8Array(Math.max(leastBytes, header.length + told.length));
	message.set(header);
	message.set(told, header.length);
	if (kind === MessageType.NAK) return {message, to: undefined};
	if (hasAddress) return {message, to: asked.client};
	return {message, to: asked.flags.broadcast ? undefined : lease.address};
}

/** The kind of answer that a message gets. */
function answerKind(
	type: number | undefined,
	options: ReadonlyMap<number, Uint8Array>,
	client: Uint8Array,
	{address, plan}: Lease,
): number | undefined {
	const server = options.get(Option.SERVER);
	// It has chosen another server.
	if (server !== undefined && !same(server, plan.gateway)) return undefined;
	switch (type) {
		case MessageType.DISCOVER:
			return MessageType.OFFER;
		case MessageType.REQUEST:
			return same(options.get(Option.REQUESTED) ?? client, address) ? MessageType.ACK : MessageType.NAK;
		case MessageType.INFORM:
			return MessageType.ACK;
		default:
			return undefined;
	}
}

/** Reads options until what is none; of several that are the same the first counts. */
function readOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
	const options = new Map<number, Uint8Array>();
	let at = 0;
	for (let read = 0; read < mostOptions && at < bytes.length; read++) {
		const code = bytes[at++] as number;
		if (code === Option.PAD) continue;
		const length = bytes[at++];
		if (code === Option.END || length === undefined || at + length > bytes.length) break;
		if (!options.has(code)) options.set(code, bytes.subarray(at, at + length));
		at += length;
	}
	return options;
}

function encodeOptions(kind: number, isInform: boolean, {plan, name, domain, mtu}: Lease): Uint8Array {
	const option = (code: number, data: Iterable<number>) => [code, [...data].length, ...data];
	const identity = [...option(Option.TYPE, [kind]), ...option(Option.SERVER, plan.gateway)];
	if (kind === MessageType.NAK) return Uint8Array.from([...identity, Option.END]);
	const times = [
		...option(Option.LEASE, number32(leaseSeconds)),
		...option(Option.RENEW, number32(leaseSeconds / 2)),
		...option(Option.REBIND, number32((leaseSeconds / 8) * 7)),
	];
	return Uint8Array.from([
		...identity,
		...(isInform ? [] : times),
		...option(Option.MASK, plan.mask),
		...option(Option.ROUTER, plan.gateway),
		...option(Option.DNS, plan.gateway),
		...option(Option.HOST_NAME, Buffer.from(name)),
		...option(Option.DOMAIN, Buffer.from(domain)),
		...option(Option.MTU, [mtu >> 8, mtu & 0xff]),
		Option.END,
	]);
}
