import {configError} from './errors.ts';

/**
 * What the guest's clocks do when a machine that stood still runs again: go on where they were, as if no time had passed, or
 * catch up with the real time that has passed meanwhile.
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
