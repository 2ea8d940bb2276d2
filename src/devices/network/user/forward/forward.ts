import {addressBytes, addressText} from '../packets/index.ts';

/** A port of the host that leads to one of the guest's. */
export interface HostForward {
	readonly protocol: 'tcp' | 'udp';
	/** Where the host listens: undefined for all its addresses of IPv4. */
	readonly hostAddress: string | undefined;
	/** 0 for any that is free. */
	readonly hostPort: number;
	/** One that the network gives a guest; that of the machine which has the network without this. */
	readonly guestAddress?: string | undefined;
	readonly guestPort: number;
}

/** An address and port, as the guest sees them, that lead to an end on the host's network whatever policy says. */
export interface GuestForward {
	readonly protocol: 'tcp' | 'udp';
	/** Undefined for the gateway's. */
	readonly address: string | undefined;
	readonly port: number;
	readonly target: {readonly address: string; readonly port: number};
}

/** `[address]` or `address`, or nothing, in front of a colon and a port. */
const end = String.raw`(?:\[([^\]]*)\]|([^:\[\]]*)):(\d{1,5})`;
const pair = new RegExp(`^(tcp|udp):${end}-${end}$`);

interface Ends {
	readonly protocol: 'tcp' | 'udp';
	readonly from: {readonly address: string | undefined; readonly port: number};
	readonly to: {readonly address: string | undefined; readonly port: number};
}

function readEnds(text: string): Ends | undefined {
	const match = pair.exec(text);
	if (match === null) return undefined;
	const [, protocol, from6, from4, fromPort, to6, to4, toPort] = match;
	const from = readEnd(from6 ?? from4, Number(fromPort));
	const to = readEnd(to6 ?? to4, Number(toPort));
	return from === undefined || to === undefined ? undefined : {protocol: protocol as 'tcp' | 'udp', from, to};
}

function readEnd(text: string | undefined, port: number): Ends['from'] | undefined {
	if (port > 65_535) return undefined;
	if (text === undefined || text === '') return {address: undefined, port};
	const bytes = addressBytes(text);
	return bytes === undefined ? undefined : {address: addressText(bytes), port};
}

/** Reads `tcp|udp:[address]:port-[guest address]:port`, as OpenVMM's `hostfwd` is written. */
export function parseHostForward(text: string): HostForward | undefined {
	const ends = readEnds(text);
	if (ends === undefined || ends.to.port === 0) return undefined;
	const {protocol, from, to} = ends;
	const guestAddress = to.address !== undefined && {guestAddress: to.address};
	return {protocol, hostAddress: from.address, hostPort: from.port, ...guestAddress, guestPort: to.port};
}

/** Reads `tcp|udp:[address]:port-[address]:port`: what the guest sees, and where it leads; without addresses the gateway and the host's loopback. */
export function parseGuestForward(text: string): GuestForward | undefined {
	const ends = readEnds(text);
	if (ends === undefined || ends.from.port === 0 || ends.to.port === 0) return undefined;
	const target = {address: ends.to.address ?? '127.0.0.1', port: ends.to.port};
	return {protocol: ends.protocol, address: ends.from.address, port: ends.from.port, target};
}
