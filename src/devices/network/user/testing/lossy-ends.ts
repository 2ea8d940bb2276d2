import type {Endpoint, Nic} from '#devices/network/endpoint';
import {tapKind} from '#devices/network/tap';
import type {Reactor} from '#support/reactor';
import {noProgram} from '#support/rpc';
import {reactorClock} from '../clock.ts';
import type {GuestCountersView} from '../counters.ts';
import {type NetworkPlan, planOf} from '../plan.ts';
import {AddressKinds, Policy} from '../policy/index.ts';
import {UserNetwork} from '../user-network.ts';

/** An end of a wire that is a tap interface of this name space's kernel. */
export async function tapEnd(name: string, nic: Nic, reactor: Reactor): Promise<Endpoint> {
	const source = {kind: 'tap', name} as const;
	const memory = new SharedArrayBuffer(tapKind.sharedBytes(source));
	const host = {reactor, memory, offset: 0, common: undefined, noticed() {}, track: () => {}, program: noProgram};
	return await tapKind.open(source, nic, host);
}

/** An end of a wire that is a network, whose gateway's port 80 leads to a port of the host's loopback. */
export function networkEnd(nic: Nic, reactor: Reactor, port: number, counters?: GuestCountersView): Endpoint {
	const clock = reactorClock(reactor);
	const network = new UserNetwork({
		clock,
		plan: planOf('10.0.0.0/24') as NetworkPlan,
		policy: new Policy({closed: 'host', allow: [], clock, decided() {}, connect: undefined, kinds: new AddressKinds()}),
		guestForwards: [{protocol: 'tcp', address: undefined, port: 80, target: {address: '127.0.0.1', port}}],
		nameservers: [],
		ipv6: true,
	});
	return network.join(nic, {counters}) as Endpoint;
}
