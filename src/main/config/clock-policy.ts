import {configError} from './errors.ts';

/**
 * Says how the guest's clocks go on when a machine that stood still runs again: from where they were, as if no time had passed,
 * or from the real time, with which they catch up.
 */
export type ClockPolicy = 'continue' | 'catch-up';

/** Every policy. */
export const clockPolicies: readonly ClockPolicy[] = ['continue', 'catch-up'];

/** Parses a policy. @throws CONFIG_VALUE_INVALID */
export function parseClockPolicy(text: string, option: string): ClockPolicy {
	const policy = clockPolicies.find((candidate) => candidate === text);
	if (policy !== undefined) return policy;
	throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected: clockPolicies.join(' or ')});
}
