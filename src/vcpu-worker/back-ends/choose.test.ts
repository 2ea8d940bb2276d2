import test from 'ava';
import {VmmError} from '#support/errors';
import {choose} from './choose.ts';
import {chooseHypervisor} from './index.ts';

/** A hypervisor as far as the choice goes. */
interface Candidate {
	readonly name: string;
	refusal(): VmmError | undefined;
	drawback?(): string | undefined;
}

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

test('one with a drawback is taken where no other works', async (t) => {
	const limping = {name: 'limps', refusal: () => undefined, drawback: () => 'it limps'};
	const load = (one: Candidate) => async () => one;
	t.deepEqual(await choose<Candidate>([load(limping), load(working)]), {hypervisor: working, reason: 'it limps'});
	const {hypervisor, reason} = await choose<Candidate>([load(limping), load(missing)]);
	t.is(hypervisor, limping);
	t.regex(reason, /it limps/);
});

test('where none works the error is that of the first', async (t) => {
	await t.throwsAsync(choose([async () => missing, async () => closed]), {code: 'ONE_MISSING'});
});

test('on a host where nothing can run none is loaded, not one that is asked for either', async (t) => {
	const host = {architecture: 'arm64', version: 'v24.21.0', loader: '/lib/ld-linux-aarch64.so.1'};
	for (const wanted of ['auto', 'software'] as const)
		await t.throwsAsync(chooseHypervisor(wanted, host), {code: 'HOST_ARCHITECTURE', message: /^This host is arm64/});
});
