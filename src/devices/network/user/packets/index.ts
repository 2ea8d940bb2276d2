export {
	addressBytes,
	addressText,
	bytesOf,
	type Family,
	familyOf,
	linkLocalOf,
	multicastMac,
	sameBytes,
} from './addresses.ts';
export {checksumOf, fold, pseudoSum, sumWords} from './checksum.ts';
export {IpProtocol, Ipv4, Ipv6, Ipv6Extension, Ipv6Fragment} from './ip.ts';
export {Arp, ArpOperation, broadcastMac, Ethernet, EtherType, isGroupMac} from './link.ts';
export {
	Icmp,
	IcmpType,
	Icmpv6Type,
	Tcp,
	TcpFlag,
	TcpOption,
	Udp,
	Unreachable,
	Unreachable6,
} from './transport.ts';
