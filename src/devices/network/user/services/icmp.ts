import {destinationOf, type FrameWriter, type IpPacket, type Path, payloadStart, sourceOf} from '../ip/index.ts';
import {Icmp, IcmpType, Icmpv6Type, IpProtocol, Ipv4, Ipv6, Unreachable, Unreachable6} from '../packets/index.ts';

/** Why something cannot be reached. */
export type UnreachableReason = keyof typeof Unreachable & keyof typeof Unreachable6;

/** Bytes behind a packet's header that an error has of it: ports, and sequence numbers (RFC 792; RFC 4443, 3.1, lets it be more). */
const quotedBytes = 8;

/** The way back of a packet. */
export const pathBack = (packet: IpPacket, fromMac: Uint8Array): Path => ({
	family: packet.family,
	fromMac,
	toMac: packet.mac.slice(),
	source: destinationOf(packet).slice(),
	destination: sourceOf(packet).slice(),
});

/** True for a request that its end is to answer (RFC 792; RFC 4443, 4.1). */
export const isEchoRequest = ({bytes, start, end, family}: IpPacket): boolean =>
	end - start >= Icmp.size &&
	bytes[start] === (family === 4 ? IcmpType.ECHO : Icmpv6Type.ECHO) &&
	bytes[start + 1] === 0;

/** Writes a message with a checksum of its own. @param type - in place of the message's */
export function writeMessage(writer: FrameWriter, path: Path, message: Uint8Array, type = message[0] as number): void {
	const protocol = path.family === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6;
	const at = payloadStart(path.family);
	writer.ip(path, protocol, message.length);
	writer.bytes.set(message, at);
	writer.bytes[at] = type;
	writer.checksum(path, protocol, Icmp.offset('checksum'));
}

/** Writes the answer to an echo request (RFC 792; RFC 4443, 4.2). @returns false for what is no echo request */
export function answerEcho(packet: IpPacket, fromMac: Uint8Array, writer: FrameWriter): boolean {
	if (!isEchoRequest(packet)) return false;
	const reply = packet.family === 4 ? IcmpType.ECHO_REPLY : Icmpv6Type.ECHO_REPLY;
	writeMessage(writer, pathBack(packet, fromMac), packet.bytes.subarray(packet.start, packet.end), reply);
	return true;
}

/**
 * Writes that a packet was not delivered, from the address that it went to: its header as it was, but for what nobody reads there,
 * and what says which flow it was of.
 */
export function writeUnreachable(
	writer: FrameWriter,
	packet: IpPacket,
	fromMac: Uint8Array,
	reason: UnreachableReason,
): Path {
	const {family, bytes, start, end, protocol} = packet;
	const path = pathBack(packet, fromMac);
	const header = family === 4 ? Ipv4.size : Ipv6.size;
	const quoted = Math.min(quotedBytes, end - start);
	const carried = family === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6;
	writer.ip(path, carried, Icmp.size + header + quoted);
	const at = payloadStart(family);
	const [type, code] =
		family === 4 ? [IcmpType.UNREACHABLE, Unreachable[reason]] : [Icmpv6Type.UNREACHABLE, Unreachable6[reason]];
	Icmp.write(writer.bytes, at, {type, code});
	const [source, destination] = [path.destination, path.source];
	if (family === 4) {
		const length = header + end - start;
		Ipv4.write(writer.bytes, at + Icmp.size, {length, protocol, source, destination});
	} else Ipv6.write(writer.bytes, at + Icmp.size, {payload: end - start, next: protocol, source, destination});
	writer.bytes.set(bytes.subarray(start, start + quoted), at + Icmp.size + header);
	writer.checksum(path, carried, Icmp.offset('checksum'));
	return path;
}
