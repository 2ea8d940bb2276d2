import {type Endpoint, type EndpointHost, type EndpointKind, endpointOver, type Nic} from '#devices/network/endpoint';
import {SwitchCounters, switchCommon} from '#devices/network/switch';
import {dataNode, object} from '#support/inspect';
import {checkPath} from '#support/options';
import type {ProgramHandle} from '#support/rpc';
import {reactorClock} from './clock.ts';
import {GuestCounters} from './counters.ts';
import {type NetworkPlan, planOf} from './plan.ts';
import {
	askedFunction,
	askProgram,
	DecisionFile,
	DecisionWriter,
	decisionBytes,
	decisionNotices,
	decisionsOn,
	decisionText,
	keptDecisions,
	Policy,
	parseRule,
	type Rule,
	timesText,
} from './policy/index.ts';
import {SwitchUplink} from './uplink.ts';
import {UserNetwork, type UserNetworkEndpoint} from './user-network.ts';
import {isUserSource, parseUserSource, type UserSource, userForm, usualCidr} from './user-source.ts';

/**
 * Opens a network for one NIC, and the ports of the host that lead to its guests.
 * @throws VmmError NETWORK_PORT_UNAVAILABLE, NETWORK_GUEST_UNKNOWN, NETWORK_DECISIONS_UNUSABLE
 */
async function open(source: UserSource, nic: Nic, host: EndpointHost): Promise<Endpoint> {
	const {cidr = usualCidr, hostForwards = [], guestForwards = [], allow = [], name, connect} = source;
	const {reactor, memory, offset, program, noticed, track} = host;
	const clock = reactorClock(reactor);
	const counters = GuestCounters.on(memory, offset);
	const {refusals, others} = decisionsOn(memory, offset + GuestCounters.byteLength);
	const [refused, passed] = [new DecisionWriter(refusals), new DecisionWriter(others)];
	const path = source.decisions;
	const file = path === undefined ? undefined : await DecisionFile.open(path, {clock, counters, track});
	const totals = {allow: 'allowed', refuse: 'refused', redirect: 'redirected', answer: 'answered'} as const;
	const policy = new Policy({
		closed: source.closed ?? (allow.length > 0 ? 'all' : 'host'),
		allow: allow.map((text) => parseRule(text) as Rule),
		clock,
		connect: connect && askProgram(program, connect as ProgramHandle),
		decided(decision) {
			counters[totals[decision.kind]]++;
			const mac = network.macOf(decision.guest);
			(decision.kind === 'refuse' ? refused : passed).keep(decision, mac);
			file?.add(decision, mac);
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
	const dispose = async () => {
		uplink?.dispose();
		for (const forward of forwards) forward.close();
		await guest.dispose();
		await file?.close();
	};
	try {
		if (source.switch !== undefined)
			uplink = new SwitchUplink(network, source.switch, nic.mtu, {...host, offset: offset + switchOffset});
		const ports = portsOf(source, memory, offset);
		for (const [index, forward] of hostForwards.entries()) {
			const made = await guest.forward(forward);
			forwards.push(made);
			ports[index] = made.port;
		}
	} catch (error) {
		await dispose();
		throw error;
	}
	return endpointOver(guest, {
		start() {
			guest.start();
			uplink?.start();
		},
		async stop() {
			uplink?.stop();
			await guest.stop();
			await file?.written();
		},
		inFlight: () => (file?.isWriting ? 'writing decisions' : undefined),
		dispose,
	});
}

/** Where the memory of an endpoint has what its port of a switch tells. */
const switchOffset = GuestCounters.byteLength + decisionBytes;

const forwardsOffset = switchOffset + SwitchCounters.byteLength;

/** Ports of the host's that lead to the guest, in their order: any that was free where 0 was asked for. */
const portsOf = ({hostForwards = []}: UserSource, memory: SharedArrayBuffer, offset: number) =>
	new Uint32Array(memory, offset + forwardsOffset, hostForwards.length);

/** What is kept of decisions, for people. */
const decisionNodes = (ring: Parameters<typeof keptDecisions>[0]) =>
	object(() => {
		const texts = keptDecisions(ring).map(
			({decision, count}) => `${decision.kind} ${decisionText(decision)}${timesText(count)}`,
		);
		return Object.fromEntries(texts.entries());
	});

/** `consomme`: a network of the guest's own, which needs no rights on the host. */
export const userKind: EndpointKind<UserSource> = {
	prefix: 'consomme',
	form: userForm,
	parse: parseUserSource,
	isRight: isUserSource,
	detach: (source, keep) =>
		typeof source.connect === 'function' ? {...source, connect: keep(askedFunction(source.connect))} : source,
	checkHost: ({decisions}, option, host) =>
		decisions === undefined ? undefined : checkPath(host, 'output', decisions, option),
	sharedBytes: ({hostForwards = []}) => forwardsOffset + 8 * Math.ceil(hostForwards.length / 2),
	common: (source) => (source.switch === undefined ? undefined : switchCommon(source.switch)),
	open,
	report(source, memory, offset) {
		const {cidr = usualCidr, hostForwards = []} = source;
		const ports = portsOf(source, memory, offset);
		const counters = GuestCounters.on(memory, offset);
		const rings = decisionsOn(memory, offset + GuestCounters.byteLength);
		return {
			nodes: () => ({
				network: cidr,
				...(hostForwards.length > 0 && {
					forwards: object(() =>
						Object.fromEntries(
							hostForwards.map((forward, index) => [index, dataNode({...forward, hostPort: ports[index]})]),
						),
					),
				}),
				...GuestCounters.decode(counters),
				refusals: decisionNodes(rings.refusals),
				decisions: decisionNodes(rings.others),
			}),
			notices: decisionNotices(rings),
		};
	},
};
