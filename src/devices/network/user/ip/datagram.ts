import {Ethernet, IpProtocol, Udp} from '../packets/index.ts';
import type {IpPacket} from './packet.ts';
import {type FrameWriter, type Path, payloadStart} from './writer.ts';

/** A datagram of a guest's. */
export interface Datagram {
	readonly packet: IpPacket;
	readonly sourcePort: number;
	readonly port: number;
	/** What it carries. */
	readonly payload: Uint8Array;
}

/** Reads a datagram; undefined where it does not lie in its packet. What one that is still to be cut says of its length means nothing. */
export function readDatagram(packet: IpPacket): Datagram | undefined {
	const {view, start, end, bytes} = packet;
	if (start + Udp.size > end) return undefined;
	const length = packet.segmentBytes > 0 ? end - start : view.getUint16(start + Udp.offset('length'));
	if (length < Udp.size || start + length > end) return undefined;
	const payload = bytes.subarray(start + Udp.size, start + length);
	return {packet, sourcePort: view.getUint16(start), port: view.getUint16(start + 2), payload};
}

/** Ports and payload of a datagram for a guest. */
export interface OutgoingDatagram {
	readonly sourcePort: number;
	readonly port: number;
	readonly payload: Uint8Array;
}

/** Writes a datagram for a guest, whose NIC finishes the checksum of one that is not to be cut. @param mtu - of the guest's link */
export function writeDatagram(
	writer: FrameWriter,
	path: Path,
	{sourcePort, port, payload}: OutgoingDatagram,
	mtu: number,
): void {
	const length = Udp.size + payload.length;
	writer.ip(path, IpProtocol.UDP, length);
	const at = payloadStart(path.family);
	writer.view.setUint16(at, sourcePort);
	writer.view.setUint16(at + 2, port);
	writer.view.setUint16(at + 4, length);
	writer.bytes.set(payload, at + Udp.size);
	const offset = Udp.offset('checksum');
	if (writer.frame.length - Ethernet.size <= mtu)
		writer.offload(path, IpProtocol.UDP, {offset, header: Udp.size, segmentBytes: mtu});
	else writer.checksum(path, IpProtocol.UDP, offset);
}
