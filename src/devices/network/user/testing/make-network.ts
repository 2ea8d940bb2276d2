import {type NetworkPlan, planOf} from '../plan.ts';
import {AddressKinds, type Closed, type Decide, type Decision, Policy, parseRule, type Rule} from '../policy/index.ts';
import {UserNetwork, type UserNetworkOptions} from '../user-network.ts';
import {ManualClock} from './manual-clock.ts';

export interface NetworkChoices
	extends Partial<Pick<UserNetworkOptions, 'guestForwards' | 'nameservers' | 'ipv6' | 'isShared' | 'descriptors'>> {
	readonly closed?: Closed;
	readonly allow?: readonly string[];
	readonly connect?: Decide;
	readonly cidr?: string;
}

/** A network on a clock of the test's, whose guests may reach the host's loopback: nothing else is near. */
export function makeNetwork({
	closed = 'host',
	allow = ['127.0.0.0/8', '::1'],
	connect,
	cidr = '10.0.0.0/24',
	...rest
}: NetworkChoices = {}) {
	const clock = new ManualClock();
	const decisions: Decision[] = [];
	const rules = allow.map((text) => parseRule(text) as Rule);
	const policy = new Policy({
		closed,
		allow: rules,
		clock,
		connect,
		decided: (decision) => void decisions.push(decision),
		kinds: new AddressKinds(() => ['192.0.0.8']),
	});
	const network = new UserNetwork({
		clock,
		plan: planOf(cidr) as NetworkPlan,
		policy,
		nameservers: [],
		ipv6: true,
		...rest,
	});
	return {clock, network, policy, decisions};
}
