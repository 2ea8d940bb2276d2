import type {Budget} from './budget.ts';
import type {Clock} from './clock.ts';
import type {GuestCountersView} from './counters.ts';
import type {Descriptors} from './descriptors.ts';
import type {IpPacket, OutgoingDatagram, Path} from './ip/index.ts';
import type {NetworkPlan} from './plan.ts';
import type {KnownNames, Policy} from './policy/index.ts';
import type {UnreachableReason} from './services/index.ts';

/** What flows and connections have of the guest that they are with, and of its network. */
export interface GuestLink {
	readonly name: string;
	readonly clock: Clock;
	readonly plan: NetworkPlan;
	readonly policy: Policy;
	readonly names: KnownNames;
	readonly budget: Budget;
	readonly counters: GuestCountersView;
	/** Each socket of the host's takes one. */
	readonly descriptors: Descriptors;
	/** The guest's part of what the network has of something. */
	share(total: number): number;
	/** Ends at the gateway, by what the network's owner has said: undefined where nothing there is. */
	guestForward(protocol: 'tcp' | 'udp', address: string, port: number): HostEnd | undefined;
	/** True for an address that is the gateway's. */
	isGateway(address: Uint8Array): boolean;
	sendDatagram(path: Path, datagram: OutgoingDatagram): void;
	/** Sends a message of ICMP, whose checksum is made anew. */
	sendMessage(path: Path, message: Uint8Array): void;
	sendUnreachable(packet: IpPacket, reason: UnreachableReason): void;
}

/** An end on the host, or on a network of its. */
export interface HostEnd {
	readonly address: string;
	readonly port: number;
}
