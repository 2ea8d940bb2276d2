import type {FrameWriter} from '../ip/index.ts';
import {Arp, ArpOperation, Ethernet, EtherType, sameBytes} from '../packets/index.ts';

/**
 * Answers who asks for an address that is here: the gateway's, or one that leads somewhere (RFC 826).
 * @returns false where there is nothing to answer: the writer's frame is as it was
 */
export function answerArp(
	request: Uint8Array,
	length: number,
	mac: Uint8Array,
	isHere: (address: Uint8Array) => boolean,
	writer: FrameWriter,
): boolean {
	const at = Ethernet.size;
	if (length < at + Arp.size) return false;
	const {hardware, protocol, hardwareBytes, protocolBytes, operation, sender, senderMac, target} = Arp.read(
		request,
		at,
	);
	const isKnown = hardware === 1 && protocol === EtherType.IPV4 && hardwareBytes === 6 && protocolBytes === 4;
	if (!isKnown || operation !== ArpOperation.REQUEST || !isHere(target)) return false;
	// Somebody who has the address is not told whose it is.
	if (sameBytes(sender, 0, target)) return false;
	writer.frame.become(at + Arp.size);
	Ethernet.write(writer.bytes, 0, {destination: senderMac, source: mac, type: EtherType.ARP});
	Arp.write(writer.bytes, at, {
		operation: ArpOperation.REPLY,
		senderMac: mac,
		sender: target,
		targetMac: senderMac,
		target: sender,
	});
	return true;
}
