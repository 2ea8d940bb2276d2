import test from 'ava';
import {clockPolicies, parseClockPolicy} from './clock-policy.ts';

test('a clock policy is one of two words', (t) => {
	for (const policy of clockPolicies) t.is(parseClockPolicy(policy, '--clock'), policy);
	for (const text of ['', 'catchup', 'Continue', 'continue,catch-up']) {
		const error = t.throws(() => parseClockPolicy(text, '--clock'), {code: 'CONFIG_VALUE_INVALID'});
		t.regex(error?.message ?? '', /--clock/);
	}
});
