import type {Frame} from '#devices/network/endpoint';
import {EtherType, packetOffset} from './ether-type.ts';

/** Protocols whose headers begin with ports. */
const [tcp, udp] = [6, 17];
/** Of the fragments of an IPv4 packet the first alone has ports: more of them follow, or stand before this. */
const fragmentBits = 0x3fff;

/**
 * A number of 16 bits that all frames of a flow have in common, whatever tags, numbers and checksums they have: it is made of their
 * addresses of IP, and of their ports where each frame has them.
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
		return hash(frame, packet + 12, packet + 20, hasPorts ? transport : length);
	}
	if (type !== EtherType.IPV6 || length < packet + 40) return 0;
	return hash(frame, packet + 8, packet + 40, isPorted(view.getUint8(packet + 6)) ? packet + 40 : length);
}

const isPorted = (protocol: number): boolean => protocol === tcp || protocol === udp;

/** Of addresses from one place to another, and of the ports where there are any in the frame. */
function hash({view, length}: Frame, from: number, end: number, ports: number): number {
	let mixed = 0;
	const mix = (word: number): void => {
		mixed = Math.imul(mixed ^ word, 0x9e37_79b1);
	};
	for (let at = from; at < end; at += 4) mix(view.getUint32(at));
	if (ports + 4 <= length) mix(view.getUint32(ports));
	return (mixed >>> 16) ^ (mixed & 0xffff);
}
