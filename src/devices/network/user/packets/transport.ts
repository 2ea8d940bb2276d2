import {packed, u8, u16, u32} from '#support/wire';

export const TcpFlag = {FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, ACK: 0x10, URG: 0x20} as const;

/** A TCP header without options. */
export const Tcp = packed('tcp', {
	source: u16.be,
	destination: u16.be,
	sequence: u32.be,
	acknowledgment: u32.be,
	/** The header's length in words of 32 bits, above four bits that mean nothing here. */
	offset: u8,
	flags: u8,
	window: u16.be,
	checksum: u16.be,
	urgent: u16.be,
}).sized(20, 'RFC 9293, 3.1');

/** Options of TCP (RFC 9293, 3.2; RFC 7323, 2.2; RFC 2018, 2 and 3). */
export const TcpOption = {END: 0, NOP: 1, MSS: 2, WINDOW_SCALE: 3, SACK_PERMITTED: 4, SACK: 5} as const;

/** A UDP header. */
export const Udp = packed('udp', {source: u16.be, destination: u16.be, length: u16.be, checksum: u16.be}).sized(
	8,
	'RFC 768',
);

/** The start of each ICMP and ICMPv6 message; what `rest` is depends on the type. */
export const Icmp = packed('icmp', {type: u8, code: u8, checksum: u16.be, rest: u32.be}).sized(
	8,
	'RFC 792; RFC 4443, 2.1',
);

/** Types of ICMP that are understood or sent. */
export const IcmpType = {ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8} as const;
/** Codes of ICMP's UNREACHABLE (RFC 792; RFC 1812, 5.2.7.1). */
export const Unreachable = {HOST: 1, PORT: 3, PROHIBITED: 13} as const;
/** Types of ICMPv6 (RFC 4443; RFC 4861, 4). */
export const Icmpv6Type = {
	UNREACHABLE: 1,
	ECHO: 128,
	ECHO_REPLY: 129,
	ROUTER_SOLICITATION: 133,
	ROUTER_ADVERTISEMENT: 134,
	NEIGHBOR_SOLICITATION: 135,
	NEIGHBOR_ADVERTISEMENT: 136,
} as const;
/** Codes of ICMPv6's UNREACHABLE (RFC 4443, 3.1). */
export const Unreachable6 = {PROHIBITED: 1, HOST: 3, PORT: 4} as const;
