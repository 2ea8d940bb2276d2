import type {Frame} from '#devices/network/endpoint';
import {EtherType, packetOffset} from './ether-type.ts';

/** Protocols whose headers begin with ports. */
const [tcp, udp] = [6, 17];
/** Of the fragments of an IPv4 packet the first alone has ports: more of them follow, or stand before this. */
const fragmentBits = 0x3fff;

/**
 * A number of 16 bits that all frames of a flow have in common, in both directions, whatever tags, numbers and checksums they have: it is made of
 * their addresses of IP, and of their ports where each frame has them.
 */
export function flowHash(frame: Frame): number {
	const {view, length} = frame;
	const packet = packetOffset(frame);
	if (packet === undefined) return 0;
	const type = view.getUint16(packet - 2);
	if (type === EtherType.IPV4 && length >= packet + 20) {
		const isWhole = (view.getUint16(packet + 6) & fragmentBits) === 0;
		const hasPorts = isWhole && isPorted(view.getUint8(packet + 9));
		const transport = packet + (view.getUint8(packet) & 0xf) * 4;
		return hash(frame, packet + 12, 4, hasPorts ? transport : length);
	}
	if (type !== EtherType.IPV6 || length < packet + 40) return 0;
	return hash(frame, packet + 8, 16, isPorted(view.getUint8(packet + 6)) ? packet + 40 : length);
}

const isPorted = (protocol: number): boolean => protocol === tcp || protocol === udp;

/** Of two addresses, one behind the other, and of the ports where there are any in the frame. */
function hash({view, length}: Frame, from: number, bytes: number, ports: number): number {
	const hasPorts = ports + 4 <= length;
	const end = (address: number, port: number): number => {
		let mixed = hasPorts ? view.getUint16(port) : 0;
		for (let at = address; at < address + bytes; at += 4) mixed = mix(mixed ^ view.getUint32(at));
		return mixed;
	};
	// A sum has no order: who answers has the ends the other way round.
	const mixed = mix(end(from, ports) + end(from + bytes, ports + 2));
	return (mixed >>> 16) ^ (mixed & 0xffff);
}

const mix = (word: number): number => Math.imul(word, 0x9e37_79b1);
