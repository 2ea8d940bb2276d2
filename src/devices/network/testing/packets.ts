import {Frame} from '#devices/network/endpoint';

/** A packet for a test: TCP or UDP over IPv4 or IPv6. */
export interface PacketParts {
	readonly to?: Uint8Array;
	readonly from?: Uint8Array;
	readonly vlan?: number;
	readonly v6?: boolean;
	readonly udp?: boolean;
	readonly payload?: Uint8Array;
	readonly sequence?: number;
	/** Bytes of options of TCP, a multiple of 4. */
	readonly options?: number;
	readonly flags?: number;
	/** The checksum of the transport is left to others: the pseudo header's sum alone is there. */
	readonly partial?: boolean;
}

const guest = Uint8Array.of(0x00, 0x15, 0x5d, 1, 2, 3);
const peer = Uint8Array.of(0x00, 0x15, 0x5d, 9, 9, 9);

/** Sums 16-bit words as RFC 1071 has it, one after the other: slow, and nothing of what is under test. */
function sum16(bytes: Uint8Array, from: number, end: number, start = 0): number {
	let total = start;
	for (let at = from; at < end; at += 2)
		total += (bytes[at] as number) * 256 + (at + 1 < end ? (bytes[at + 1] as number) : 0);
	while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
	return total;
}

/** Where a frame's packet and its transport begin; what the tests send has no options of IP. */
function places({view}: Frame) {
	const packet = view.getUint16(12) === 0x8100 ? 18 : 14;
	const isV6 = view.getUint16(packet - 2) === 0x86dd;
	const isUdp = view.getUint8(packet + (isV6 ? 6 : 9)) === 17;
	return {packet, isV6, isUdp, transport: packet + (isV6 ? 40 : 20)};
}

/** The sum of a frame's pseudo header. */
export function pseudoSum(frame: Frame): number {
	const {packet, isV6, isUdp, transport} = places(frame);
	const [from, bytes] = isV6 ? [packet + 8, 32] : [packet + 12, 8];
	return sum16(frame.bytes, from, from + bytes, (isUdp ? 17 : 6) + frame.length - transport);
}

/** True for a frame all of whose lengths and checksums are right. */
export function isSound(frame: Frame): boolean {
	const {packet, isV6, isUdp, transport} = places(frame);
	const {view, length, bytes} = frame;
	const isLong = isV6
		? view.getUint16(packet + 4) === length - packet - 40
		: view.getUint16(packet + 2) === length - packet && sum16(bytes, packet, transport) === 0xffff;
	const isUdpLong = !isUdp || view.getUint16(transport + 4) === length - transport;
	return isLong && isUdpLong && sum16(bytes, transport, length, pseudoSum(frame)) === 0xffff;
}

/** What a frame carries. */
export function payloadOf(frame: Frame): Uint8Array {
	const {isUdp, transport} = places(frame);
	const start = transport + (isUdp ? 8 : (frame.view.getUint8(transport + 12) >>> 4) * 4);
	return frame.bytes.slice(start, frame.length);
}

/** Makes a frame. */
export function packet({
	to = guest,
	from = peer,
	vlan,
	v6 = false,
	udp = false,
	payload = new Uint8Array(),
	sequence = 1000,
	options = 0,
	flags = 0x18,
	partial = false,
}: PacketParts = {}): Frame {
	const frame = new Frame();
	const {bytes, view} = frame;
	const start = vlan === undefined ? 14 : 18;
	const transport = start + (v6 ? 40 : 20);
	const headers = udp ? 8 : 20 + options;
	frame.become(transport + headers + payload.length);
	bytes.set(to);
	bytes.set(from, 6);
	if (vlan !== undefined) {
		view.setUint16(12, 0x8100);
		view.setUint16(14, vlan);
	}
	view.setUint16(start - 2, v6 ? 0x86dd : 0x0800);
	if (v6) {
		view.setUint32(start, 0x6000_0000);
		view.setUint16(start + 4, headers + payload.length);
		view.setUint8(start + 6, udp ? 17 : 6);
		view.setUint8(start + 7, 64);
		for (let index = 0; index < 32; index++) view.setUint8(start + 8 + index, 0x20 + index);
	} else {
		view.setUint8(start, 0x45);
		view.setUint16(start + 2, frame.length - start);
		view.setUint16(start + 4, 7);
		view.setUint8(start + 8, 64);
		view.setUint8(start + 9, udp ? 17 : 6);
		view.setUint32(start + 12, 0x0a00_0001);
		view.setUint32(start + 16, 0x0a00_0002);
		view.setUint16(start + 10, ~sum16(bytes, start, start + 20) & 0xffff);
	}
	view.setUint16(transport, 4000);
	view.setUint16(transport + 2, 80);
	if (udp) view.setUint16(transport + 4, 8 + payload.length);
	else {
		view.setUint32(transport + 4, sequence);
		view.setUint8(transport + 12, (headers / 4) << 4);
		view.setUint8(transport + 13, flags);
		bytes.fill(1, transport + 20, transport + headers);
	}
	bytes.set(payload, transport + headers);
	const at = transport + (udp ? 6 : 16);
	if (partial) {
		view.setUint16(at, pseudoSum(frame));
		frame.needsChecksum = true;
		frame.checksumStart = transport;
		frame.checksumOffset = udp ? 6 : 16;
	} else view.setUint16(at, ~sum16(bytes, transport, frame.length, pseudoSum(frame)) & 0xffff);
	return frame;
}
