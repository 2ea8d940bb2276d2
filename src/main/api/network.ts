import {randomBytes} from 'node:crypto';
import type {KindHandle} from '#devices/device-type';
import type {NicLimits} from '#devices/network/limit';
import {macText} from '#devices/network/packet';
import {virtioNetId, virtioNetKind} from '#devices/virtio/net';
import type {GuestStream} from '#main/vm';
import type {OperationSignal} from '#support/abort';
import {ownDevice} from './own-device.ts';

/** What a guest wants to reach. */
export interface ConnectAttempt {
	/** The machine's name. */
	readonly guest: string;
	/** A question about a name, of DNS, has neither address nor port; an echo request (ping), of ICMP, no port. */
	readonly protocol: 'tcp' | 'udp' | 'icmp' | 'dns';
	/** By which the guest has asked for the address last; undefined for an address that it has from elsewhere. */
	readonly name: string | undefined;
	readonly address: string | undefined;
	readonly port: number | undefined;
}

/** What becomes of it: it goes where it wants to, nowhere, elsewhere on the host's network, or, by TCP alone, to the program itself. */
export type ConnectVerdict =
	| {readonly kind: 'allow'}
	| {readonly kind: 'refuse'; readonly reason: string}
	| {readonly kind: 'redirect'; readonly address: string; readonly port: number}
	| {readonly kind: 'answer'; readonly answer: (stream: GuestStream) => void};

/** A program's policy. @param signal - aborted when nobody waits for the decision any more */
export type ConnectPolicy = (
	attempt: ConnectAttempt,
	signal: OperationSignal,
) => ConnectVerdict | Promise<ConnectVerdict>;

/** A port of the host that leads to one of the guest's. */
export interface NetworkForward {
	readonly protocol: 'tcp' | 'udp';
	/** Where the host listens: undefined for all its addresses of IPv4. */
	readonly hostAddress: string | undefined;
	/** 0 for any that is free. */
	readonly hostPort: number;
	/** One that the network gives a guest, of its switch too; this machine's if not given. */
	readonly guestAddress?: string;
	readonly guestPort: number;
}

/** An address and port, as the guest sees them, that lead to an end on the host's network, whatever is closed. */
export interface NetworkGuestForward {
	readonly protocol: 'tcp' | 'udp';
	/** Undefined for the gateway's. */
	readonly address: string | undefined;
	readonly port: number;
	readonly target: {readonly address: string; readonly port: number};
}

/** What a NIC has, whatever carries its frames. */
export interface NicOptions {
	/** Its address; one of its own if not given. */
	readonly mac?: string;
	/** Bytes of a packet, 68 to 65535; 1500 if not given. */
	readonly mtu?: number;
	/** Pairs of queues, 1 to 8, which the processors of a guest share; 1 if not given. */
	readonly queues?: number;
	/** How much it may pass on in a second, in bytes and packets: `{bps_tx: 10_000_000}`. */
	readonly limits?: NicLimits;
	/** A file that frames are written to as they pass, in pcapng. */
	readonly capture?: string;
}

/** A network by the host's sockets, and what the guest may reach. */
export interface NetworkOptions extends NicOptions {
	/**
	 * What the guest may reach: a name, `*.NAME`, an address or ADDRESS/BITS, with `:PORT` or `:PORT-PORT` behind, or `*` for all that is public. With
	 * rules all else is closed; without any, all is open but the host itself, link-local and metadata addresses.
	 */
	readonly allow?: readonly string[];
	/** Decides about what no rule opens, in a program's own words. One that throws, takes 10 s or gives something else has refused. */
	readonly connect?: ConnectPolicy;
	/** What only a rule opens: `host`, `private` networks too, or `all`. */
	readonly closed?: 'host' | 'private' | 'all';
	/** A file to which each decision is added, a line of JSON each. */
	readonly decisions?: string;
	/** The guest's network, 10.0.0.0/24 if not given. */
	readonly cidr?: string;
	/** Resolvers that are asked in place of the host's: `1.1.1.1`, `127.0.0.1:5353`, `[::1]:5353`. */
	readonly nameservers?: readonly string[];
	/** The guest is given addresses of IPv6: where the host has a public one if not given. */
	readonly ipv6?: boolean;
	/** Ports of the host that lead to the guest's through the network. */
	readonly hostForwards?: readonly NetworkForward[];
	/** Ends on the host's network that the guest reaches at addresses of its own, whatever is closed. */
	readonly guestForwards?: readonly NetworkGuestForward[];
}

/** What carries a NIC's frames, as its device takes it: `switch:lab`, or `{kind: 'switch', name: 'lab'}`. */
export type EndpointChoice = string | {readonly kind: string; readonly [option: string]: unknown};

/** What carries a guest's frames: a network of its own by the host's sockets, any other way there is, or nothing. */
export type NetworkChoice = boolean | NetworkOptions | (NicOptions & {readonly endpoint: EndpointChoice});

/** Name of a machine's NIC, which its snapshots have. */
export const nicName = 'net';

/** The NIC that is asked for, if any. @param name - of the machine, which the network knows it by */
export function nicFor(choice: NetworkChoice, name: string): KindHandle | undefined {
	if (choice === false) return undefined;
	const {mac = privateMac(), mtu, queues, limits, capture, ...network} = choice === true ? {} : choice;
	const endpoint = 'endpoint' in network ? network.endpoint : {kind: 'consomme', name, ...network};
	const given = Object.entries({mtu, queues, limits, capture}).filter(([, value]) => value !== undefined);
	return ownDevice(virtioNetKind, virtioNetId, nicName, {endpoint, mac, ...Object.fromEntries(given)});
}

/** An address that is nobody's but this machine's: locally administered, of one guest (IEEE 802, 8.2.2). */
function privateMac(): string {
	const bytes = randomBytes(6);
	bytes[0] = ((bytes[0] as number) & 0xfc) | 0x02;
	return macText(bytes);
}
