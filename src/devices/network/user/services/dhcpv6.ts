import {sameBytes} from '../packets/index.ts';
import type {NetworkPlan} from '../plan.ts';

/** Messages and options (RFC 8415, 7.3 and 21; RFC 3646, 3 and 4). */
const MessageType = {
	SOLICIT: 1,
	ADVERTISE: 2,
	REQUEST: 3,
	CONFIRM: 4,
	RENEW: 5,
	REBIND: 6,
	REPLY: 7,
	RELEASE: 8,
	DECLINE: 9,
	INFORMATION_REQUEST: 11,
} as const;
const Option = {
	CLIENT_ID: 1,
	SERVER_ID: 2,
	IA_NA: 3,
	IA_ADDRESS: 5,
	STATUS: 13,
	RAPID_COMMIT: 14,
	DNS_SERVERS: 23,
	DOMAIN_LIST: 24,
} as const;
const Status = {SUCCESS: 0, NO_ADDRESSES: 2, NOT_ON_LINK: 4} as const;

export const dhcpv6Ports = {server: 547, client: 546} as const;
/** Options of one message that are walked over. */
const mostOptions = 64;
/** Seconds: an address is the guest's for a day, which it asks for again after half of it, and of anybody after four fifths. */
const lifetime = 86_400;
const [renewAfter, rebindAfter] = [lifetime / 2, (lifetime / 5) * 4];
const addressLength = 16;

/** What a guest is given. */
export interface Lease6 {
	readonly plan: NetworkPlan;
	readonly domain: string;
	/** Its own; undefined where there is no IPv6. */
	readonly address: Uint8Array | undefined;
}

/** The server's identifier: of a link address, of Ethernet (RFC 8415, 11.4). */
const serverId = ({mac}: NetworkPlan): Uint8Array => Uint8Array.of(0, 3, 0, 1, ...mac);

/** The address that a guest is given for its one of IPv4, which is in its last bytes. */
export function address6Of({prefix6}: NetworkPlan, ipv4: Uint8Array): Uint8Array {
	const address = prefix6.slice();
	address.set(ipv4, address.length - ipv4.length);
	return address;
}

/** Kinds of messages, by whether they name the server that they are for (RFC 8415, 16). */
const namesServer: ReadonlySet<number> = new Set([
	MessageType.REQUEST,
	MessageType.RENEW,
	MessageType.RELEASE,
	MessageType.DECLINE,
]);

/** Kinds of messages whose answers lend the address, or take it back. */
const lends: ReadonlyMap<number, boolean> = new Map([
	[MessageType.SOLICIT, true],
	[MessageType.REQUEST, true],
	[MessageType.RENEW, true],
	[MessageType.REBIND, true],
	[MessageType.RELEASE, false],
	[MessageType.DECLINE, false],
]);

/** Bytes of an identifier, with its type (RFC 8415, 11.1). */
const mostIdentifier = 130;

/** What a guest is told, and whether it has its address from then on: undefined where that is as it was. */
export interface Answer6 {
	readonly message: Uint8Array;
	readonly isLent: boolean | undefined;
}

/** Answers a guest's message (RFC 8415, 18.3): it has one address, always the same. Undefined where it is to have no answer, or is none. */
export function answerDhcpv6(request: Uint8Array, lease: Lease6): Answer6 | undefined {
	const [type] = request;
	const options = readOptions(request.subarray(4));
	if (request.length < 4 || type === undefined || options === undefined) return undefined;
	const {plan} = lease;
	const [client, server] = [options.get(Option.CLIENT_ID), options.get(Option.SERVER_ID)];
	if (server === undefined ? namesServer.has(type) : !isSame(server, serverId(plan))) return undefined;
	if (client !== undefined && client.length > mostIdentifier) return undefined;
	if (client === undefined && type !== MessageType.INFORMATION_REQUEST) return undefined;
	const given = answerTo(type, options, lease);
	if (given === undefined) return undefined;
	const isOffer = type === MessageType.SOLICIT && !options.has(Option.RAPID_COMMIT);
	const labels = lease.domain.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
	const message = Uint8Array.from([
		...[isOffer ? MessageType.ADVERTISE : MessageType.REPLY, ...request.subarray(1, 4)],
		...(client === undefined ? [] : option(Option.CLIENT_ID, client)),
		...option(Option.SERVER_ID, serverId(plan)),
		...(type === MessageType.SOLICIT && !isOffer ? option(Option.RAPID_COMMIT, []) : []),
		...given,
		...option(Option.DNS_SERVERS, plan.gateway6),
		...option(Option.DOMAIN_LIST, [...labels, 0]),
	]);
	return {message, isLent: isOffer || lease.address === undefined ? undefined : lends.get(type)};
}

/** What a message is answered with beside what all are told. */
function answerTo(type: number, options: Options, {address}: Lease6): readonly number[] | undefined {
	const wanted = options.get(Option.IA_NA);
	switch (type) {
		case MessageType.INFORMATION_REQUEST:
			return wanted === undefined ? [] : undefined;
		case MessageType.SOLICIT:
		case MessageType.REQUEST:
		case MessageType.RENEW:
		case MessageType.REBIND:
			return wanted === undefined || wanted.length < 12 ? undefined : association(wanted.subarray(0, 4), address);
		case MessageType.CONFIRM: {
			const had = addressIn(wanted);
			if (had === undefined) return undefined;
			return status(address !== undefined && sameBytes(had, 0, address) ? Status.SUCCESS : Status.NOT_ON_LINK);
		}
		case MessageType.RELEASE:
		case MessageType.DECLINE:
			return status(Status.SUCCESS);
		default:
			return undefined;
	}
}

/** @param id - by which the guest knows what it asks for */
function association(id: Uint8Array, address: Uint8Array | undefined): readonly number[] {
	if (address === undefined)
		return option(Option.IA_NA, [...id, ...be32(0), ...be32(0), ...status(Status.NO_ADDRESSES)]);
	const given = option(Option.IA_ADDRESS, [...address, ...be32(lifetime), ...be32(lifetime)]);
	return option(Option.IA_NA, [...id, ...be32(renewAfter), ...be32(rebindAfter), ...given]);
}

/** The address that a guest says it has. */
function addressIn(wanted: Uint8Array | undefined): Uint8Array | undefined {
	if (wanted === undefined || wanted.length < 12) return undefined;
	const found = readOptions(wanted.subarray(12))?.get(Option.IA_ADDRESS);
	return found === undefined || found.length < addressLength ? undefined : found.subarray(0, addressLength);
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
const be32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const status = (code: number): number[] => option(Option.STATUS, [0, code]);

const option = (code: number, data: Iterable<number>): number[] => {
	const bytes = [...data];
	return [code >> 8, code & 0xff, bytes.length >> 8, bytes.length & 0xff, ...bytes];
};

/** Options by their codes; of several of one kind the last. */
type Options = ReadonlyMap<number, Uint8Array>;

/** Reads options; undefined for what does not hold together. */
function readOptions(bytes: Uint8Array): Options | undefined {
	const options = new Map<number, Uint8Array>();
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let at = 0;
	for (let read = 0; at < bytes.length; read++) {
		if (read >= mostOptions || at + 4 > bytes.length) return undefined;
		const end = at + 4 + view.getUint16(at + 2);
		if (end > bytes.length) return undefined;
		options.set(view.getUint16(at), bytes.subarray(at + 4, end));
		at = end;
	}
	return options;
}
