import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {VM} from '#main/api';
import {fakeHost, flatGuest, says} from '#main/api/testing';
import {Gate, type Guest} from '#vcpu-worker/hypervisor/testing';
import {type TestVmOptions, testVm, withVm} from './index.ts';

/** Says something, and waits for good. */
function* talks(): Guest {
	yield* says('kernel: no root\n');
	yield new Gate().pass;
}

function options(t: ExecutionContext, given: Omit<TestVmOptions, 'dumps'> = {}) {
	const dumps = mkdtempSync(join(tmpdir(), 'openvmm-dumps-'));
	t.teardown(() => rmSync(dumps, {recursive: true, force: true}));
	const host = fakeHost(t, talks);
	return {name: 'kernel', boot: flatGuest(t), memory: '16M', network: false, dumps, host, ...given} as const;
}

const folderIn = (message: string) => /What the machine was at is in (\S+)/.exec(message)?.[1] ?? '';

test.serial('a body that fails leaves a folder, which its error names, and no machine', async (t) => {
	const asked = options(t, {core: true});
	let vm: VM | undefined;
	const failure = new RangeError('not what was wanted');
	const error = await t.throwsAsync(
		withVm(asked, async (made) => {
			vm = made;
			await made.console.find('no root');
			throw failure;
		}),
		{is: failure},
	);
	t.is(vm?.machine.state, 'stopped');
	const folder = folderIn(error?.message ?? '');
	t.true(folder.startsWith(join(asked.dumps, 'openvmm-kernel-')), error?.message);
	t.deepEqual(readdirSync(folder).sort(), ['console.txt', 'core', 'error.txt', 'inspect.txt']);
	const read = (name: string) => readFileSync(join(folder, name), 'utf8');
	t.is(read('console.txt'), 'kernel: no root\n');
	t.regex(read('error.txt'), /RangeError: not what was wanted[\s\S]*The machine: running/);
	t.regex(read('inspect.txt'), /vcpus/);
});

test.serial('a body that takes too long is told of, and given up', async (t) => {
	const asked = options(t, {limit: 1});
	let isAborted = false;
	const error = await t.throwsAsync(
		withVm(asked, async (_, signal) => {
			signal.addEventListener('abort', () => {
				isAborted = true;
			});
			await new Promise(() => {});
		}),
		{code: 'VM_TEST_LIMIT'},
	);
	t.true(isAborted);
	t.true(existsSync(folderIn(error?.message ?? '')));
});

test.serial('a body that is right leaves nothing, and gives what it has', async (t) => {
	const asked = options(t, {limit: Number.POSITIVE_INFINITY});
	t.is(await withVm(asked, async (vm) => (await vm.console.find(/kernel: (.*)/))[1]), 'no root');
	t.deepEqual(readdirSync(asked.dumps), []);
});

/** A test of each runner's, by what is done at its end, and what it was told. */
function tests() {
	const atEnd: (() => Promise<void>)[] = [];
	const told: string[] = [];
	const add = (work: () => Promise<void>) => void atEnd.push(work);
	const error = new Error('it failed');
	const both = (hasFailed: boolean) => [
		{teardown: add, passed: !hasFailed, log: (message: string) => void told.push(message)},
		{
			after: add,
			passed: !hasFailed,
			error: hasFailed ? error : null,
			diagnostic: (text: string) => void told.push(text),
		},
	];
	return {atEnd, told, both};
}

test.serial('a machine ends with the test that it was made for, and is dumped where that has failed', async (t) => {
	for (const hasFailed of [false, true]) {
		const {atEnd, told, both} = tests();
		for (const runner of both(hasFailed)) {
			const asked = options(t);
			const vm = await testVm(runner, asked);
			await vm.console.find('no root');
			t.is(vm.machine.state, 'running');
			await atEnd.pop()?.();
			t.is(vm.machine.state, 'stopped');
			t.is(readdirSync(asked.dumps).length, hasFailed ? 1 : 0);
			const said = told.pop();
			t.is(said !== undefined, hasFailed);
			if (said !== undefined) t.true(existsSync(join(folderIn(said), 'console.txt')), said);
		}
	}
});

test.serial('a test that takes too long has no machine any more, and is told where that was', async (t) => {
	const {atEnd, told, both} = tests();
	for (const runner of both(true)) {
		const asked = options(t, {limit: 1});
		const vm = await testVm(runner, asked);
		const never = {code: 'VM_CONSOLE_ENDED'};
		await t.throwsAsync(vm.console.find('what never comes', {timeout: Number.POSITIVE_INFINITY}), never);
		await atEnd.pop()?.();
		const said = told.pop() ?? '';
		t.regex(said, /The test of kernel took longer than 1 ms\. What the machine was at is in/);
		t.deepEqual(readdirSync(folderIn(said)).sort(), ['console.txt', 'error.txt', 'inspect.txt']);
	}
});
