export {type Clock, reactorClock} from './clock.ts';
export {GuestCounters, type GuestCountersView} from './counters.ts';
export {shareNetworkCount} from './descriptors.ts';
export {type GuestForward, type HostForward, parseGuestForward, parseHostForward} from './forward/index.ts';
export {type NetworkPlan, planOf} from './plan.ts';
export {
	type Attempt,
	type Closed,
	type ConnectFunction,
	type Decision,
	Policy,
	type PolicyOptions,
	type ProgramVerdict,
	parseRule,
	type Rule,
	type Verdict,
} from './policy/index.ts';
export {userKind} from './user-kind.ts';
export {type GuestOptions, UserNetwork, type UserNetworkEndpoint, type UserNetworkOptions} from './user-network.ts';
export {type UserSource, usualCidr} from './user-source.ts';
