import {Resolver} from 'node:dns';
import {networkInterfaces} from 'node:os';
import type {Endpoint, Frame, Nic} from '#devices/network/endpoint';
import type {Clock} from './clock.ts';
import type {GuestCountersView} from './counters.ts';
import {Descriptors} from './descriptors.ts';
import {DnsServer, HostResolver} from './dns/index.ts';
import {userNetworkError} from './errors.ts';
import {type GuestForward, type HostForward, TcpForward, UdpForward} from './forward/index.ts';
import {Guest} from './guest.ts';
import type {HostEnd} from './guest-link.ts';
import type {GuestNetwork, Member} from './guest-network.ts';
import {addressText, bytesOf, isGroupMac, sameBytes} from './packets/index.ts';
import {type NetworkPlan, planText} from './plan.ts';
import type {Policy} from './policy/index.ts';

/** What a network is made from. */
export interface UserNetworkOptions {
	readonly clock: Clock;
	readonly plan: NetworkPlan;
	readonly policy: Policy;
	readonly guestForwards?: readonly GuestForward[];
	/** Resolvers: see `parseServer`; the host's without this. */
	readonly nameservers?: readonly string[] | undefined;
	/** The process's without this. */
	readonly descriptors?: Descriptors | undefined;
	/** Guests are given addresses of IPv6; where the host has a public one without this. */
	readonly ipv6?: boolean | undefined;
	/** Others may join: they have the addresses behind the first guest's. */
	readonly isShared?: boolean | undefined;
}

/** How a guest joins. */
export interface GuestOptions {
	/** One label of a name; `guest` and a number without this, and where somebody has it. */
	readonly name?: string | undefined;
	/** Memory for counters that others look at. */
	readonly counters?: GuestCountersView | undefined;
	/** What it shares a wire with: see `Member.segment`. */
	readonly segment?: object | undefined;
}

/** Names of guests, and of the gateway, end with this: ICANN keeps it for networks like this one. */
const domain = 'internal';
/** Names of the gateway besides its addresses. */
const gatewayNames = ['gateway', 'host'];

/** A NIC's place on a network. */
export interface UserNetworkEndpoint extends Endpoint {
	readonly name: string;
	remember(most: number): Uint8Array;
	recall(remembered: Uint8Array): void;
	/** The address that the guest is given. */
	readonly ipv4: string;
	/**
	 * Opens a port of the host that leads to the guest.
	 * @returns the port that the host gave, and how to close it
	 * @throws VmmError NETWORK_PORT_UNAVAILABLE, NETWORK_GUEST_UNKNOWN
	 */
	forward(forward: HostForward): Promise<{readonly port: number; close(): void}>;
}

/** A network of our own, between guests and the host's sockets: it needs no rights on the host (OpenVMM's consomme). */
export class UserNetwork implements GuestNetwork {
	readonly clock: Clock;
	readonly plan: NetworkPlan;
	readonly policy: Policy;
	readonly dns: DnsServer;
	readonly domain = domain;
	readonly hasIpv6: boolean;
	readonly descriptors: Descriptors;
	readonly #isShared: boolean;
	readonly #guestForwards: readonly GuestForward[];
	readonly #guests = new Map<number, Guest>();

	constructor({clock, plan, policy, guestForwards = [], nameservers, ipv6, isShared, descriptors}: UserNetworkOptions) {
		this.clock = clock;
		this.plan = plan;
		this.policy = policy;
		this.hasIpv6 = ipv6 ?? hostHasIpv6();
		this.#isShared = isShared ?? false;
		this.#guestForwards = guestForwards;
		this.descriptors = descriptors ?? new Descriptors();
		const servers = nameservers === undefined ? hostServers : () => nameservers;
		const resolver = new HostResolver(clock, this.descriptors, servers);
		this.dns = new DnsServer(policy, resolver, {
			addressesOf: (name) => this.#addressesOf(name),
			nameOf: (address) => this.#nameOf(address),
		});
	}

	/** The address that a guest's NIC has, or has sent from last; undefined for one that has gone. */
	macOf(name: string): Uint8Array | undefined {
		return [...this.#guests.values()].find((guest) => guest.name === name)?.mac;
	}

	get guestCount(): number {
		return Math.max(1, this.#guests.size);
	}

	/** Connects a NIC. Undefined where the network has no address left. */
	join(nic: Nic, {name, counters, segment}: GuestOptions = {}): UserNetworkEndpoint | undefined {
		let number = 0;
		while (this.#guests.has(number)) number++;
		const address = this.plan.guest(number);
		if (address === undefined) return undefined;
		const guest = new Guest(this, nic, {name: this.#freeName(name, number), address, segment, counters});
		if (this.#guests.size === 0) this.descriptors.enter(() => this.#sockets());
		this.#guests.set(number, guest);
		return Object.assign(guest, {
			ipv4: addressText(address),
			forward: (forward: HostForward) => this.#forward(guest, forward),
		});
	}

	guestForward(protocol: 'tcp' | 'udp', address: string, port: number): HostEnd | undefined {
		const {gateway, gateway6} = this.plan;
		const own = [addressText(gateway), addressText(gateway6)];
		return this.#guestForwards.find(
			(forward) =>
				forward.protocol === protocol &&
				forward.port === port &&
				(forward.address === undefined ? own.includes(address) : forward.address === address),
		)?.target;
	}

	isForwarded(address: Uint8Array): boolean {
		if (this.#guestForwards.length === 0 || !this.plan.isOnLink(address)) return false;
		const text = addressText(address);
		return this.#guestForwards.some((forward) => forward.address === text);
	}

	hasGuestForward(protocol: 'tcp' | 'udp', address: Uint8Array, port: number): boolean {
		return this.#guestForwards.length > 0 && this.guestForward(protocol, addressText(address), port) !== undefined;
	}

	relay(from: Member, frame: Frame): void {
		if (this.#guests.size < 2) return;
		const isForAll = isGroupMac(frame.bytes);
		const reached = new Set<object | undefined>([from.segment]);
		for (const guest of this.#guests.values()) {
			const {segment} = guest;
			if (guest === from || (segment !== undefined && reached.has(segment))) continue;
			if (!isForAll && !guest.isAt(frame.bytes)) continue;
			guest.relayed(frame);
			reached.add(segment);
		}
	}

	left(guest: Member): void {
		const [number] = [...this.#guests].find(([, other]) => other === guest) ?? [];
		if (number === undefined) return;
		this.#guests.delete(number);
		if (this.#guests.size === 0) this.descriptors.leave();
	}

	#sockets(): number {
		let sockets = 0;
		for (const guest of this.#guests.values()) sockets += guest.sockets;
		return sockets;
	}

	/** The name that is wanted, unless somebody or the gateway has it: policies and DNS tell guests apart by their names. */
	#freeName(wanted: string | undefined, number: number): string {
		const taken = new Set([...gatewayNames, ...[...this.#guests.values()].map(({name}) => name.toLowerCase())]);
		if (wanted !== undefined && !taken.has(wanted.toLowerCase())) return wanted;
		const usual = (place: number) => `guest${place === 0 ? '' : place + 1}`;
		let place = number;
		while (taken.has(usual(place))) place++;
		return usual(place);
	}

	async #forward(own: Guest, forward: HostForward): Promise<{readonly port: number; close(): void}> {
		const address = forward.guestAddress === undefined ? undefined : bytesOf(forward.guestAddress);
		if (address !== undefined && !this.#mayHave(own, address))
			throw userNetworkError('NETWORK_GUEST_UNKNOWN', {
				asked: addressText(address),
				network: planText(this.plan),
				given: own.addresses.map(addressText),
				isShared: this.#isShared,
			});
		/** Whoever has it at that moment: guests come and go. */
		const guest = () => (address === undefined ? own : this.#guestWith(address));
		if (forward.protocol === 'udp') return UdpForward.open(forward, this.clock, guest);
		return TcpForward.open(forward, this.clock, (socket) => {
			const reached = guest();
			// It has a descriptor already: who connects from there cannot take the last one.
			if (reached !== undefined && this.descriptors.take()) reached.connect(socket, forward.guestPort, address);
			else socket.destroy();
		});
	}

	#mayHave(own: Guest, address: Uint8Array): boolean {
		if (!this.#isShared) return hasAddress(own, address);
		const isGiven = address.length === 4 ? !this.plan.isForAll(address) : this.hasIpv6;
		return isGiven && this.plan.isOnLink(address) && !own.isGateway(address);
	}

	#guestWith(address: Uint8Array): Guest | undefined {
		return [...this.#guests.values()].find((guest) => hasAddress(guest, address));
	}

	#addressesOf(name: string): readonly string[] | undefined {
		const {gateway, gateway6} = this.plan;
		const label = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name;
		const guest = [...this.#guests.values()].find((each) => each.name.toLowerCase() === label);
		if (guest !== undefined) return namedAddresses(guest).map(addressText);
		const own = [addressText(gateway), ...(this.hasIpv6 ? [addressText(gateway6)] : [])];
		return name !== label && gatewayNames.includes(label) ? own : undefined;
	}

	#nameOf(address: string): string | undefined {
		const guest = [...this.#guests.values()].find((each) =>
			namedAddresses(each).some((own) => addressText(own) === address),
		);
		if (guest !== undefined) return `${guest.name}.${domain}`;
		const {gateway, gateway6} = this.plan;
		return [addressText(gateway), addressText(gateway6)].includes(address) ? `gateway.${domain}` : undefined;
	}
}

/** Those that a guest's name stands for. */
const namedAddresses = ({address, address6}: Guest): readonly Uint8Array[] =>
	address6 === undefined ? [address] : [address, address6];

const hasAddress = ({addresses}: Guest, address: Uint8Array): boolean =>
	addresses.some((own) => own.length === address.length && sameBytes(address, 0, own));

/** The host's resolvers as they are now: a host moves from one network to another, and Node's own are those of its start. */
const hostServers = (): readonly string[] => new Resolver().getServers();

/** True where the host has an address that packets to the public network can be from. */
function hostHasIpv6(): boolean {
	const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	return all.some(({family, internal, address}) => family === 'IPv6' && !internal && /^[23]/.test(address));
}
