import {bytes, packed, u8, u16} from '#support/wire';

/** Type of what an Ethernet frame carries (IANA, IEEE 802 Numbers). */
export const EtherType = {IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd} as const;

/** An Ethernet header (IEEE 802.3, 3.1.1). */
export const Ethernet = packed('ethernet', {destination: bytes(6), source: bytes(6), type: u16.be}).sized(14);

export const ArpOperation = {REQUEST: 1, REPLY: 2} as const;

/** An ARP packet for IPv4 on Ethernet. */
export const Arp = packed('arp', {
	hardware: u16.be.initial(1),
	protocol: u16.be.initial(EtherType.IPV4),
	hardwareBytes: u8.initial(6),
	protocolBytes: u8.initial(4),
	operation: u16.be,
	senderMac: bytes(6),
	sender: bytes(4),
	targetMac: bytes(6),
	target: bytes(4),
}).sized(28, 'RFC 826');

/** To everybody on a link. */
export const broadcastMac: Uint8Array = new Uint8Array(6).fill(0xff);

/** A multicast's address on Ethernet (RFC 2464, 7; RFC 1112, 6.4), a broadcast's too. */
export const isGroupMac = (frame: Uint8Array): boolean => ((frame[0] as number) & 1) === 1;
