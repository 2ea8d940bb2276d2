import {bits, bytes, flag, packed, range, u8, u16, u32} from '#support/wire';

/** What an IP packet carries (IANA, Protocol Numbers). */
export const IpProtocol = {
	HOP_BY_HOP: 0,
	ICMP: 1,
	TCP: 6,
	UDP: 17,
	ROUTING: 43,
	FRAGMENT: 44,
	ICMPV6: 58,
	NONE: 59,
	DESTINATION: 60,
} as const;

/** An IPv4 header without options. */
export const Ipv4 = packed('ipv4', {
	/** Version above the header's length in words of 32 bits. */
	version: u8.initial(0x45),
	service: u8,
	length: u16.be,
	id: u16.be,
	fragment: bits(u16.be, {dontFragment: flag(14), moreFragments: flag(13), offset: range(12, 0)}),
	hops: u8.initial(64),
	protocol: u8,
	checksum: u16.be,
	source: bytes(4),
	destination: bytes(4),
}).sized(20, 'RFC 791, 3.1');

/** An IPv6 header. */
export const Ipv6 = packed('ipv6', {
	/** Version 6 above class and flow. */
	version: u32.be.initial(0x6000_0000),
	payload: u16.be,
	next: u8,
	hops: u8.initial(64),
	source: bytes(16),
	destination: bytes(16),
}).sized(40, 'RFC 8200, 3');

/** An extension that has fragments of a packet. */
export const Ipv6Fragment = packed('ipv6_fragment', {
	next: u8,
	reserved: u8,
	/** Offset in units of 8 bytes above three bits, of which the lowest says that more follow. */
	place: u16.be,
	id: u32.be,
}).sized(8, 'RFC 8200, 4.5');

/** The start of the other extensions: hop-by-hop, routing, destination. */
export const Ipv6Extension = packed('ipv6_extension', {
	next: u8,
	/** Units of 8 bytes behind the first. */
	units: u8,
}).sized(2, 'RFC 8200, 4.3');
