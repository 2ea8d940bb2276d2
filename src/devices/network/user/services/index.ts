export {answerArp} from './arp.ts';
export {answerDhcp, Dhcp, dhcpPorts, type Lease} from './dhcp.ts';
export {address6Of, answerDhcpv6, dhcpv6Ports, type Lease6} from './dhcpv6.ts';
export {answerEcho, isEchoRequest, pathBack, type UnreachableReason, writeMessage, writeUnreachable} from './icmp.ts';
export {
	advertisementEveryMs,
	answerSolicitation,
	autonomousAddress,
	isRouterSolicitation,
	Neighbor,
	RouterAdvertisement,
	writeAdvertisement,
} from './neighbors.ts';
