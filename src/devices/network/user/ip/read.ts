import type {Frame} from '#devices/network/endpoint';
import {Segmentation} from '#devices/network/endpoint';
import {addWords} from '#devices/network/packet';
import {
	checksumOf,
	Ethernet,
	fold,
	IpProtocol,
	Ipv4,
	Ipv6,
	Ipv6Extension,
	Ipv6Fragment,
	pseudoSum,
} from '../packets/index.ts';
import {addressLength, type IpPacket} from './packet.ts';

/** Extensions that are walked over; more than a sender has a use for (RFC 8200, 4.1). */
const mostExtensions = 8;

/** A part of a packet, which the others are awaited for. */
export interface Fragment extends IpPacket {
	/** What all fragments of a packet have in common. */
	readonly id: number;
	/** Of its first byte in the whole. */
	readonly offset: number;
	readonly isLast: boolean;
}

/** Why a packet is dropped. */
export type Malformed = 'short' | 'header' | 'checksum' | 'extensions';

const v4 = {
	version: Ipv4.offset('version'),
	length: Ipv4.offset('length'),
	id: Ipv4.offset('id'),
	fragment: Ipv4.offset('fragment'),
	protocol: Ipv4.offset('protocol'),
	source: Ipv4.offset('source'),
};
const v6 = {payload: Ipv6.offset('payload'), next: Ipv6.offset('next'), source: Ipv6.offset('source')};

/** What the frame says of a packet that it carries. */
const isChecked = (frame: Frame): boolean => frame.needsChecksum || frame.isChecked;
const segmentBytes = (frame: Frame): number => (frame.segmentation === Segmentation.UDP ? frame.segmentBytes : 0);
const macOf = ({bytes}: Frame) => bytes.subarray(link.source, link.type);
const link = {source: Ethernet.offset('source'), type: Ethernet.offset('type')};

/** Reads an IPv4 packet, whose header ends where it says (options mean nothing here), and what of it the frame has. */
export function readIpv4(frame: Frame, view: DataView): IpPacket | Fragment | Malformed {
	const at = Ethernet.size;
	const {bytes, length} = frame;
	if (length < at + Ipv4.size) return 'short';
	const first = view.getUint8(at + v4.version);
	const start = at + (first & 15) * 4;
	const end = at + view.getUint16(at + v4.length);
	if (first >> 4 !== 4 || start < at + Ipv4.size || start > end || end > length) return 'header';
	if (checksumOf(bytes, at, start) !== 0) return 'checksum';
	const packet: IpPacket = {
		isChecked: isChecked(frame),
		segmentBytes: segmentBytes(frame),
		mac: macOf(frame),
		family: 4,
		bytes,
		view,
		addresses: at + v4.source,
		protocol: view.getUint8(at + v4.protocol),
		start,
		end,
	};
	const place = view.getUint16(at + v4.fragment);
	if ((place & 0x3fff) === 0) return packet;
	const isLast = (place & 0x2000) === 0;
	return {...packet, id: view.getUint16(at + v4.id), offset: (place & 0x1fff) * 8, isLast};
}

/** Reads an IPv6 packet, behind its extensions. */
export function readIpv6(frame: Frame, view: DataView): IpPacket | Fragment | Malformed {
	const at = Ethernet.size;
	const {bytes, length} = frame;
	if (length < at + Ipv6.size) return 'short';
	const end = at + Ipv6.size + view.getUint16(at + v6.payload);
	if (view.getUint8(at) >> 4 !== 6 || end > length) return 'header';
	const packet = {
		isChecked: isChecked(frame),
		segmentBytes: segmentBytes(frame),
		mac: macOf(frame),
		...{family: 6 as const, bytes, view, addresses: at + v6.source, end},
	};
	let next = view.getUint8(at + v6.next);
	let start = at + Ipv6.size;
	for (let walked = 0; walked < mostExtensions; walked++) {
		if (next === IpProtocol.FRAGMENT) {
			if (start + Ipv6Fragment.size > end) return 'short';
			const place = view.getUint16(start + Ipv6Fragment.offset('place'));
			const protocol = view.getUint8(start);
			const id = view.getUint32(start + Ipv6Fragment.offset('id'));
			start += Ipv6Fragment.size;
			// A fragment that is all of its packet is a packet (RFC 6946).
			if ((place & 0xfff9) === 0) {
				next = protocol;
				continue;
			}
			return {...packet, protocol, start, id, offset: place & 0xfff8, isLast: (place & 1) === 0};
		}
		if (next !== IpProtocol.HOP_BY_HOP && next !== IpProtocol.ROUTING && next !== IpProtocol.DESTINATION)
			return {...packet, protocol: next, start};
		if (start + Ipv6Extension.size > end) return 'short';
		next = view.getUint8(start);
		start += 8 + view.getUint8(start + Ipv6Extension.offset('units')) * 8;
		if (start > end) return 'header';
	}
	return 'extensions';
}

/** True when the checksum of what a packet carries is right, or nobody needs to look. `checksum` is where it lies. */
export function isIntact(packet: IpPacket, checksum: number): boolean {
	const {bytes, start, end, family, view} = packet;
	if (packet.isChecked) return true;
	if (view.getUint16(checksum) === 0 && packet.protocol === IpProtocol.UDP) return family === 4;
	const isPlain = packet.protocol === IpProtocol.ICMP;
	const pseudo = isPlain
		? 0
		: pseudoSum(bytes, packet.addresses, 2 * addressLength(family), packet.protocol, end - start);
	return fold(addWords(view, start, end, pseudo)) === 0xffff;
}
