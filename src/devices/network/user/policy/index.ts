export {type AddressKind, AddressKinds, embeddedAddresses, hostAddresses} from './address-kind.ts';
export {DecisionFile} from './decision-file.ts';
export {decisionNotices} from './decision-notices.ts';
export {
	DecisionWriter,
	decisionBytes,
	decisionsOn,
	decisionText,
	keptDecisions,
	timesText,
} from './decision-ring.ts';
export {KnownNames} from './known-names.ts';
export {type Closed, nobodyAt, Policy, type PolicyOptions} from './policy.ts';
export {askedFunction, askProgram} from './program-policy.ts';
export {isName, namesName, parseRule, type Rule} from './rule.ts';
export type {Attempt, ConnectFunction, Decide, Decision, ProgramVerdict, Verdict} from './verdict.ts';
