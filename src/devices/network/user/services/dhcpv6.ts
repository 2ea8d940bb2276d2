import type {NetworkPlan} from '../plan.ts';

/** Messages and options (RFC 8415, 7.3 and 21; RFC 3646, 3 and 4). */
const MessageType = {REPLY: 7, INFORMATION_REQUEST: 11} as const;
const Option = {CLIENT_ID: 1, SERVER_ID: 2, DNS_SERVERS: 23, DOMAIN_LIST: 24} as const;

export const dhcpv6Ports = {server: 547, client: 546} as const;
/** Options of one message that are walked over. */
const mostOptions = 64;

/** The server's identifier: of a link address, of Ethernet (RFC 8415, 11.4). */
const serverId = ({mac}: NetworkPlan): Uint8Array => Uint8Array.of(0, 3, 0, 1, ...mac);

/**
 * Answers who asks for what there is beside addresses (RFC 8415, 18.3.6); guests make their addresses themselves, so that nobody
 * asks for one. Undefined where there is no answer.
 */
export function answerDhcpv6(request: Uint8Array, plan: NetworkPlan, domain: string): Uint8Array | undefined {
	if (request.length < 4 || request[0] !== MessageType.INFORMATION_REQUEST) return undefined;
	const options = readOptions(request.subarray(4));
	if (options === undefined) return undefined;
	const server = options.get(Option.SERVER_ID);
	if (server !== undefined && Buffer.compare(server, serverId(plan)) !== 0) return undefined;
	const client = options.get(Option.CLIENT_ID);
	const labels = domain.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
	return Uint8Array.from([
		...[MessageType.REPLY, ...request.subarray(1, 4)],
		...(client === undefined ? [] : option(Option.CLIENT_ID, client)),
		...option(Option.SERVER_ID, serverId(plan)),
		...option(Option.DNS_SERVERS, plan.gateway6),
		...option(Option.DOMAIN_LIST, Uint8Array.of(...labels, 0)),
	]);
}

const option = (code: number, data: Uint8Array): number[] => [
	code >> 8,
	code & 0xff,
	data.length >> 8,
	data.length & 0xff,
	...data,
];

/** Reads options; undefined for what does not hold together. */
function readOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> | undefined {
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
