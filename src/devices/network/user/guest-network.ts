import type {Frame} from '#devices/network/endpoint';
import type {Clock} from './clock.ts';
import type {Descriptors} from './descriptors.ts';
import type {DnsServer} from './dns/index.ts';
import type {HostEnd} from './guest-link.ts';
import type {NetworkPlan} from './plan.ts';
import type {Policy} from './policy/index.ts';

/** Somebody on a network. */
export interface Member {
	readonly name: string;
	readonly address: Uint8Array;
	readonly mac: Uint8Array;
	/** What it shares a wire with, which passes frames between those on it by itself. */
	readonly segment: object | undefined;
	relayed(frame: Frame): void;
}

/** What a guest has of the network that it is on. */
export interface GuestNetwork {
	readonly clock: Clock;
	readonly plan: NetworkPlan;
	readonly policy: Policy;
	readonly dns: DnsServer;
	readonly descriptors: Descriptors;
	/** The domain that names of guests are in. */
	readonly domain: string;
	/** The host has a way to others by IPv6: guests are given addresses of it. */
	readonly hasIpv6: boolean;
	readonly guestCount: number;
	guestForward(protocol: 'tcp' | 'udp', address: string, port: number): HostEnd | undefined;
	/** True for an address on the link that leads somewhere. */
	isForwarded(address: Uint8Array): boolean;
	hasGuestForward(protocol: 'tcp' | 'udp', address: Uint8Array, port: number): boolean;
	/** Passes a frame on to those other guests that it is for. */
	relay(from: Member, frame: Frame): void;
	left(guest: Member): void;
}
