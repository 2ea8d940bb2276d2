import {type Endpoint, type EndpointHost, type EndpointKind, endpointOver, type Nic} from '#devices/network/endpoint';
import {SwitchCounters, switchCommon} from '#devices/network/switch';
import {object} from '#support/inspect';
import type {ProgramHandle} from '#support/rpc';
import {reactorClock} from './clock.ts';
import {GuestCounters} from './counters.ts';
import {type NetworkPlan, planOf} from './plan.ts';
import {
	askedFunction,
	askProgram,
	DecisionRing,
	decisionNotices,
	decisionText,
	keepDecision,
	keptDecisions,
	Policy,
	parseRule,
	type Rule,
} from './policy/index.ts';
import {SwitchUplink} from './uplink.ts';
import {UserNetwork, type UserNetworkEndpoint} from './user-network.ts';
import {isUserSource, parseUserSource, type UserSource, userForm, usualCidr} from './user-source.ts';

/** Opens a network for one NIC, and the ports of the host that lead to its guests. @throws VmmError NETWORK_PORT_UNAVAILABLE, NETWORK_GUEST_UNKNOWN */
async function open(source: UserSource, nic: Nic, host: EndpointHost): Promise<Endpoint> {
	const {cidr = usualCidr, hostForwards = [], guestForwards = [], allow = [], name, connect} = source;
	const {reactor, memory, offset, program, noticed} = host;
	const clock = reactorClock(reactor);
	const counters = GuestCounters.on(memory, offset);
	const ring = DecisionRing.on(memory, offset + GuestCounters.byteLength);
	const totals = {allow: 'allowed', refuse: 'refused', redirect: 'redirected', answer: 'answered'} as const;
	const policy = new Policy({
		closed: source.closed ?? (allow.length > 0 ? 'all' : 'host'),
		allow: allow.map((text) => parseRule(text) as Rule),
		clock,
		connect: connect && askProgram(program, connect as ProgramHandle),
		decided(decision) {
			counters[totals[decision.kind]]++;
			keepDecision(ring, decision, network.macOf(decision.guest));
			noticed();
		},
	});
	const plan = planOf(cidr) as NetworkPlan;
	const {nameservers, ipv6} = source;
	const isShared = source.switch !== undefined;
	const network: UserNetwork = new UserNetwork({clock, plan, policy, guestForwards, nameservers, ipv6, isShared});
	const guest = network.join(nic, {name, counters}) as UserNetworkEndpoint;
	const forwards: {close(): void}[] = [];
	let uplink: SwitchUplink | undefined;
	const dispose = () => {
		uplink?.dispose();
		for (const forward of forwards) forward.close();
		return guest.dispose();
	};
	try {
		if (source.switch !== undefined)
			uplink = new SwitchUplink(network, source.switch, nic.mtu, {...host, offset: offset + switchOffset});
		for (const forward of hostForwards) forwards.push(await guest.forward(forward));
	} catch (error) {
		await dispose();
		throw error;
	}
	return endpointOver(guest, {
		start() {
			guest.start();
			uplink?.start();
		},
		stop() {
			uplink?.stop();
			return guest.stop();
		},
		dispose,
	});
}

/** Where the memory of an endpoint has what its port of a switch tells. */
const switchOffset = GuestCounters.byteLength + DecisionRing.byteLength;

/** `consomme`: a network of the guest's own, which needs no rights on the host. */
export const userKind: EndpointKind<UserSource> = {
	prefix: 'consomme',
	form: userForm,
	parse: parseUserSource,
	isRight: isUserSource,
	detach: (source, keep) =>
		typeof source.connect === 'function' ? {...source, connect: keep(askedFunction(source.connect))} : source,
	sharedBytes: () => switchOffset + SwitchCounters.byteLength,
	common: (source) => (source.switch === undefined ? undefined : switchCommon(source.switch)),
	open,
	report({cidr = usualCidr}, memory, offset) {
		const counters = GuestCounters.on(memory, offset);
		const ring = DecisionRing.on(memory, offset + GuestCounters.byteLength);
		return {
			nodes: () => ({
				network: cidr,
				...GuestCounters.decode(counters),
				decisions: object(() =>
					Object.fromEntries(
						keptDecisions(ring)
							.map((each) => `${each.kind} ${decisionText(each)}`)
							.entries(),
					),
				),
			}),
			notices: decisionNotices(ring, () => counters.refused),
		};
	},
};
