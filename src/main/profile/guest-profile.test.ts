import test from 'ava';
import {SymbolTable} from '#main/symbols';
import {CallTree} from './call-tree.ts';
import {GuestProfile} from './guest-profile.ts';
import {leafTimes} from './leaf-times.ts';
import {SampleLog} from './sample-log.ts';
import {speedscopeFile} from './speedscope.ts';

const inKernel = {vcpu: 0, ms: 1, isWaiting: false, isUser: false, space: 0x1234_5001n};

/** Numbers that are the same in each run. */
function seeded(): () => number {
	let state = 1;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

interface File {
	readonly shared: {readonly frames: readonly {readonly name: string}[]};
	readonly profiles: readonly {
		readonly name: string;
		readonly endValue: number;
		readonly samples: readonly (readonly number[])[];
		readonly weights: readonly number[];
	}[];
}

/** Stacks by name with their weights, for each processor. */
function stacksIn(text: string) {
	const {shared, profiles} = JSON.parse(text) as File;
	const name = (index: number) => shared.frames[index]?.name;
	return profiles.map(({samples, weights}) =>
		samples.map((stack, index) => [stack.map(name).join(' > '), weights[index]]),
	);
}

test('stacks go from the outside in, by the names of functions, kernel and processes apart', (t) => {
	const profile = new GuestProfile(2);
	const symbols = new SymbolTable([
		{name: 'main', address: 0x100n, size: 0x100},
		{name: 'work', address: 0x200n, size: 0x100},
	]);
	profile.add({...inKernel, frames: [0x210n, 0x110n]});
	profile.add({...inKernel, frames: [0x220n, 0x120n]});
	profile.add({...inKernel, ms: 2, frames: [0x130n]});
	profile.add({...inKernel, isUser: true, frames: [0x7012n]});
	profile.add({...inKernel, isUser: true, space: 0x1234_4806n, frames: [0x7ff2n]});
	profile.add({...inKernel, vcpu: 1, ms: 5, isWaiting: true, frames: [0x220n]});
	t.deepEqual(stacksIn([...speedscopeFile(profile, symbols, 'it')].join('')), [
		[
			['[kernel] > main > work', 2],
			['[kernel] > main', 2],
			['[process 12344000] > page 0x7000', 2],
		],
		[['(waiting)', 5]],
	]);
	t.is(profile.sampleCount, 6);
});

test('a file that comes in many pieces is one', (t) => {
	const profile = new GuestProfile(1);
	for (let index = 0; index < 20_000; index++)
		profile.add({...inKernel, ms: 0.1234567, frames: [BigInt(index % 300) * 0x1000n, 7n]});
	const pieces = [...speedscopeFile(profile, new SymbolTable([]), 'it')];
	t.true(pieces.length > 5);
	const [first] = (JSON.parse(pieces.join('')) as File).profiles;
	t.is(first?.samples.length, 20_000);
	t.is(first?.weights.length, 20_000);
	t.true(Math.abs((first?.endValue ?? 0) - 2469.134) < 1e-3);
});

test('a tree that is full keeps the outer calls', (t) => {
	const tree = new CallTree(4);
	const whole = tree.add(['a', 1n, 2n]);
	t.is(tree.size, 4);
	t.is(tree.add(['a', 1n, 3n]), tree.parentOf(whole));
	t.is(tree.add(['a', 1n, 2n]), whole);
	t.is(tree.add(['b']), 0);
	t.is(tree.keyOf(whole), 2n);
});

test('a log that is full keeps its time, and what it says of calls stays right', (t) => {
	const log = new SampleLog(1000, seeded());
	const seen = [0, 0];
	for (let index = 0; index < 100_000; index++) {
		const node = index % 2;
		const ms = node === 0 ? 3 : 1;
		seen[node] = (seen[node] as number) + ms;
		log.add(node, ms);
	}
	t.true(log.length <= 1000);
	const kept = [0, 0];
	for (const {node, ms} of log) kept[node] = (kept[node] as number) + ms;
	t.is((kept[0] as number) + (kept[1] as number), 200_000);
	t.true(Math.abs((kept[0] as number) / 200_000 - 0.75) < 0.05, `${kept}`);
});

test('calls that follow each other are one entry', (t) => {
	const log = new SampleLog(4);
	for (const node of [1, 1, 2, 2, 1]) log.add(node, 1);
	t.deepEqual(
		[...log],
		[
			{node: 1, ms: 2},
			{node: 2, ms: 2},
			{node: 1, ms: 1},
		],
	);
});

test('time is summed up by the innermost address, of all processors', (t) => {
	const profile = new GuestProfile(2);
	profile.add({...inKernel, frames: [0x210n, 0x110n]});
	profile.add({...inKernel, vcpu: 1, ms: 2, frames: [0x210n]});
	profile.add({...inKernel, vcpu: 1, ms: 4, isWaiting: true, frames: [0x210n]});
	t.deepEqual(leafTimes(profile), {times: new Map([[0x210n, 3]]), waitingMs: 4, ms: 7});
});
