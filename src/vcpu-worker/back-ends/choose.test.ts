import test from 'ava';
import {VmmError} from '#support/errors';
import {choose} from './choose.ts';

const working = {name: 'works', refusal: () => undefined};
const missing = {name: 'missing', refusal: () => new VmmError({code: 'ONE_MISSING', message: 'No one', context: {}})};
const closed = {name: 'closed', refusal: () => new VmmError({code: 'TWO_CLOSED', message: 'Two is shut', context: {}})};

test('the first that works is taken, no later one is loaded, and the reason names those before it', async (t) => {
	const load = (one: typeof working | typeof missing) => async () => one;
	const never = () => Promise.reject(new Error('loaded'));
	const {hypervisor, reason} = await choose([load(missing), load(closed), load(working), never]);
	t.is(hypervisor.name, 'works');
	t.is(reason, 'No one; Two is shut');
	t.is((await choose([load(working), never])).reason, 'it is the first choice, and works here');
});

test('where none works the error is that of the first', async (t) => {
	await t.throwsAsync(choose([async () => missing, async () => closed]), {code: 'ONE_MISSING'});
});
