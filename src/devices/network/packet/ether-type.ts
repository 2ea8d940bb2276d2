import {type Frame, leastFrameBytes} from '#devices/network/endpoint';

export const EtherType = {IPV4: 0x0800, VLAN: 0x8100, IPV6: 0x86dd, SERVICE_VLAN: 0x88a8} as const;
/** Tags that may stand before a packet. */
const mostTags = 2;

/** Where a frame's packet begins, behind what tags there are; its type is right before that. Undefined where the frame ends, or there are too many. */
export function packetOffset({view, length}: Frame): number | undefined {
	for (let tags = 0, at = leastFrameBytes; tags <= mostTags && at <= length; tags++, at += 4) {
		const type = view.getUint16(at - 2);
		if (type !== EtherType.VLAN && type !== EtherType.SERVICE_VLAN) return at;
	}
	return undefined;
}
