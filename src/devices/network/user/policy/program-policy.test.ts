import {once} from 'node:events';
import {readdirSync} from 'node:fs';
import type {Duplex} from 'node:stream';
import {buffer} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {ProgramCalls, ProgramObjects} from '#support/rpc';
import {askedFunction, askProgram, type ConnectFunction} from './index.ts';

const attempt = {guest: 'web', protocol: 'tcp', name: undefined, address: '93.184.216.34', port: 7} as const;

/** A network's way to a program's function, by a channel as between threads. */
function asking(t: ExecutionContext, connect: ConnectFunction) {
	const after = (delayNs: number, expired: () => void) => {
		const timer = setTimeout(expired, delayNs / 1e6);
		return {cancel: () => clearTimeout(timer)};
	};
	const objects = new ProgramObjects();
	const calls = new ProgramCalls(objects.connect(), {after});
	// The channel keeps no process from its end.
	const kept = setInterval(() => {}, 1000);
	t.teardown(() => {
		calls.close();
		clearInterval(kept);
	});
	const handle = objects.keep(askedFunction(connect));
	return {decide: askProgram(calls.caller(), handle), calls};
}

const descriptors = () => readdirSync('/proc/self/fd').length;
async function opened(verdict: unknown): Promise<Duplex> {
	const {open} = (await verdict) as {open: () => Duplex};
	return open();
}

test('verdicts come as they are, and a function that fails is told so', async (t) => {
	const redirect = {kind: 'redirect', address: '127.0.0.1', port: 1} as const;
	t.deepEqual(await asking(t, () => redirect).decide(attempt), redirect);
	t.is((await asking(t, () => undefined as never).decide(attempt)) as unknown, undefined);
	t.deepEqual((await asking(t, () => ({kind: 'answer'}) as never).decide(attempt)) as unknown, {kind: 'answer'});
	const failing = asking(t, () => Promise.reject(new Error('broken')));
	await t.throwsAsync(async () => failing.decide(attempt), {message: 'broken'});
});

test.serial('an answer has both directions, each with an end of its own and held back by the other', async (t) => {
	const got = Promise.withResolvers<Duplex>();
	const {decide} = asking(t, () => ({kind: 'answer', answer: got.resolve}));
	const ours = await opened(decide(attempt));
	const theirs = await got.promise;
	const large = Buffer.alloc(4 * 2 ** 20, 7);
	theirs.end(large);
	await new Promise(setImmediate);
	t.true(theirs.writableLength > 0, 'nobody has read it yet');
	t.true((await buffer(ours)).equals(large));
	ours.end('and back');
	t.is((await buffer(theirs)).toString(), 'and back');
});

test.serial('streams that nobody takes, and functions that fail at them, leave no descriptor', async (t) => {
	const ends: (() => void)[] = [];
	const kinds: ConnectFunction[] = [
		() => ({kind: 'answer', answer: (stream) => stream.destroy()}),
		() => ({
			kind: 'answer',
			answer() {
				throw new Error('not this one');
			},
		}),
	];
	const before = descriptors();
	for (const connect of kinds) {
		const {decide} = asking(t, connect);
		const ours = await opened(decide(attempt));
		ours.resume();
		await once(ours, 'end');
		ours.destroy();
		await once(ours, 'close');
	}
	// One that its guest has given up, and one of a machine that ends at that moment.
	const {decide, calls} = asking(t, () => ({kind: 'answer', answer: (stream) => ends.push(() => stream.destroy())}));
	await decide(attempt);
	const last = await opened(decide(attempt));
	calls.close();
	last.destroy();
	while (ends.length === 0) await new Promise(setImmediate);
	for (const end of ends) end();
	while (descriptors() > before) await new Promise(setImmediate);
	t.is(descriptors(), before);
});
