import type {FrameWriter} from '../ip/index.ts';
import {Arp, ArpOperation, Ethernet, EtherType, sameBytes} from '../packets/index.ts';
import type {NetworkPlan} from '../plan.ts';

/**
 * Answers who asks for the gateway's address (RFC 826).
 * @returns false where there is nothing to answer: the writer's frame is as it was
 */
export function answerArp(
	request: Uint8Array,
	length: number,
	{gateway, mac}: NetworkPlan,
	writer: FrameWriter,
): boolean {
	const at = Ethernet.size;
	if (length < at + Arp.size) return false;
	const {hardware, protocol, hardwareBytes, protocolBytes, operation, sender, senderMac, target} = Arp.read(
		request,
		at,
	);
	const isKnown = hardware === 1 && protocol === EtherType.IPV4 && hardwareBytes === 6 && protocolBytes === 4;
	if (!isKnown || operation !== ArpOperation.REQUEST || !sameBytes(target, 0, gateway)) return false;
	// Somebody who has the gateway's own address is not told whose it is.
	if (sameBytes(sender, 0, gateway)) return false;
	writer.frame.become(at + Arp.size);
	Ethernet.write(writer.bytes, 0, {destination: senderMac, source: mac, type: EtherType.ARP});
	Arp.write(writer.bytes, at, {
		operation: ArpOperation.REPLY,
		senderMac: mac,
		sender: gateway,
		targetMac: senderMac,
		target: sender,
	});
	return true;
}
