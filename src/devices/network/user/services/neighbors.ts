import {bits, bytes, flag, packed, range, u8, u16, u32} from '#support/wire';
import {type FrameWriter, type IpPacket, type Path, payloadStart, sourceOf} from '../ip/index.ts';
import {Icmp, Icmpv6Type, IpProtocol, linkLocalOf, multicastMac} from '../packets/index.ts';
import type {NetworkPlan} from '../plan.ts';

/** Every message of neighbour discovery is from the link itself: none of them has been passed on (RFC 4861, 6.1 and 7.1). */
export const linkHops = 255;
const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

const Option = {SOURCE_LINK: 1, TARGET_LINK: 2, PREFIX: 3, MTU: 5, DNS: 25} as const;

/** A neighbour's solicitation or advertisement, as far as its options. */
export const Neighbor = packed('neighbor', {
	type: u8,
	code: u8,
	checksum: u16.be,
	flags: bits(u32.be, {router: flag(31), solicited: flag(30), override: flag(29)}),
	target: bytes(16),
}).sized(24, 'RFC 4861, 4.3 and 4.4');

/** What a router says of itself and its link. */
export const RouterAdvertisement = packed('router_advertisement', {
	type: u8.initial(Icmpv6Type.ROUTER_ADVERTISEMENT),
	code: u8,
	checksum: u16.be,
	hopLimit: u8.initial(64),
	/** There is DHCPv6 for all but addresses. */
	flags: bits(u8, {managed: flag(7), other: flag(6), preference: range(4, 3)}),
	/** In seconds. */
	lifetime: u16.be,
	reachableMs: u32.be,
	retransmitMs: u32.be,
	sourceOption: u8.initial(Option.SOURCE_LINK),
	sourceUnits: u8.initial(1),
	mac: bytes(6),
	mtuOption: u8.initial(Option.MTU),
	mtuUnits: u8.initial(1),
	mtuReserved: u16.be,
	mtu: u32.be,
	prefixOption: u8.initial(Option.PREFIX),
	prefixUnits: u8.initial(4),
	prefixBits: u8.initial(64),
	prefixFlags: bits(u8, {onLink: flag(7), autonomous: flag(6)}),
	/** In seconds, as RFC 4861, 6.2.1, has them. */
	validLifetime: u32.be.initial(2_592_000),
	preferredLifetime: u32.be.initial(604_800),
	prefixReserved: u32.be,
	prefix: bytes(16),
	dnsOption: u8.initial(Option.DNS),
	dnsUnits: u8.initial(3),
	dnsReserved: u16.be,
	dnsLifetime: u32.be.initial(3600),
	dns: bytes(16),
}).sized(88, 'RFC 4861, 4.2 and 4.6; RFC 8106, 5.1');

/** The address that a guest makes itself of its NIC's below the prefix (RFC 4862, 5.5.3; RFC 2464, 4). */
export function autonomousAddress({prefix6}: NetworkPlan, mac: Uint8Array): Uint8Array {
	const address = linkLocalOf(mac);
	address.set(prefix6.subarray(0, 8));
	return address;
}

/** How often a router tells of itself unasked, in milliseconds, and for how long that holds, in seconds (RFC 4861, 6.2.1; OpenVMM's 9000). */
export const advertisementEveryMs = 600_000;
const routerLifetime = 9000;

/** Writes an advertisement of the router, for one guest or all. */
export function writeAdvertisement(
	writer: FrameWriter,
	plan: NetworkPlan,
	mtu: number,
	to?: {mac: Uint8Array; address: Uint8Array},
): void {
	const destination = to?.address ?? allNodes;
	const path: Path = {
		family: 6,
		fromMac: plan.mac,
		toMac: to?.mac ?? multicastMac(allNodes),
		source: plan.linkLocal,
		destination,
	};
	writer.ip(path, IpProtocol.ICMPV6, RouterAdvertisement.size, linkHops);
	RouterAdvertisement.write(writer.bytes, payloadStart(6), {
		flags: {other: true},
		lifetime: routerLifetime,
		mac: plan.mac,
		mtu,
		prefixFlags: {onLink: true, autonomous: true},
		prefix: plan.prefix6,
		dns: plan.gateway6,
	});
	writer.checksum(path, IpProtocol.ICMPV6, 2);
}

/**
 * Answers who asks for an address on the link that is here. Who asks whether anybody has an address that it wants to take is not
 * answered: nobody else has it.
 * @returns false where there is nothing to answer
 */
export function answerSolicitation(
	packet: IpPacket,
	hops: number,
	ownMac: Uint8Array,
	isHere: (address: Uint8Array) => boolean,
	writer: FrameWriter,
): boolean {
	const {bytes: from, start, end, mac} = packet;
	if (hops !== linkHops || end - start < Neighbor.size) return false;
	const {type, code, target} = Neighbor.read(from, start);
	// A neighbour that says where it is has asked for nothing.
	if (type !== Icmpv6Type.NEIGHBOR_SOLICITATION || code !== 0) return false;
	const source = sourceOf(packet);
	if (!isHere(target) || source.every((byte) => byte === 0)) return false;
	const path: Path = {family: 6, fromMac: ownMac, toMac: mac, source: target, destination: source};
	const at = payloadStart(6);
	writer.ip(path, IpProtocol.ICMPV6, Neighbor.size + 8, linkHops);
	const flags = {router: true, solicited: true, override: true};
	Neighbor.write(writer.bytes, at, {type: Icmpv6Type.NEIGHBOR_ADVERTISEMENT, flags, target});
	writer.bytes.set([Option.TARGET_LINK, 1, ...ownMac], at + Neighbor.size);
	writer.checksum(path, IpProtocol.ICMPV6, 2);
	return true;
}

/** True for a question of a host for routers (RFC 4861, 6.1.1). */
export const isRouterSolicitation = ({bytes: from, start, end}: IpPacket, hops: number): boolean =>
	hops === linkHops &&
	end - start >= Icmp.size &&
	from[start] === Icmpv6Type.ROUTER_SOLICITATION &&
	from[start + 1] === 0;
