import {type Family, Ipv4} from '../packets/index.ts';

/** A whole IP packet of a guest's, in bytes that are nobody else's until the call returns. */
export interface IpPacket {
	readonly family: Family;
	readonly bytes: Uint8Array<ArrayBuffer>;
	readonly view: DataView;
	/** The source's first byte; the destination follows it. */
	readonly addresses: number;
	/** Of what it carries, behind all extensions. */
	readonly protocol: number;
	/** What it carries. */
	readonly start: number;
	readonly end: number;
	/** Ethernet's address that it came from. */
	readonly mac: Uint8Array;
	/** Nobody needs to look at the checksum of what it carries. */
	readonly isChecked: boolean;
	/** Other than 0 where it carries several datagrams of so many bytes, which the guest has not cut. */
	readonly segmentBytes: number;
}

/** Bytes of an address. */
export const addressLength = (family: Family): number => (family === 4 ? 4 : 16);

/** Most bytes that a packet carries: IPv4's length counts the header, IPv6's does not (RFC 791, 3.1; RFC 8200, 3). */
export const mostCarried = (family: Family): number => 65_535 - (family === 4 ? Ipv4.size : 0);

export const sourceOf = ({bytes, addresses, family}: IpPacket): Uint8Array<ArrayBuffer> =>
	bytes.subarray(addresses, addresses + addressLength(family));

export const destinationOf = ({bytes, addresses, family}: IpPacket): Uint8Array<ArrayBuffer> =>
	bytes.subarray(addresses + addressLength(family), addresses + 2 * addressLength(family));

/** The flow that a packet of TCP or UDP belongs to, as a key: both addresses, both ports. */
export function flowKey({bytes, addresses, family, start}: IpPacket): string {
	const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	return (
		buffer.toString('latin1', addresses, addresses + 2 * addressLength(family)) +
		buffer.toString('latin1', start, start + 4)
	);
}

/** The same key of addresses and ports. */
export function flowKeyOf(source: Uint8Array, sourcePort: number, destination: Uint8Array, port: number): string {
	const ports = Buffer.from([sourcePort >> 8, sourcePort & 0xff, port >> 8, port & 0xff]);
	return Buffer.concat([source, destination, ports]).toString('latin1');
}

/** A packet once more, later: the bytes that it lies in are used again. */
export function kept(packet: IpPacket): IpPacket {
	const {bytes, end} = packet;
	const copy = bytes.slice(0, end);
	return {...packet, bytes: copy, view: new DataView(copy.buffer), mac: packet.mac.slice()};
}
