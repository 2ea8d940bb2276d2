import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {mock} from 'node:test';
import test, {type ExecutionContext} from 'ava';
import type {VM} from '#main/api';
import {fakeHost, flatGuest, says} from '#main/api/testing';
import {Gate, type Guest, type GuestScript} from '#vcpu-worker/hypervisor/testing';
import {type TestLifetime, type TestVmOptions, testVm, withVm} from './index.ts';

/** Says something, and waits for good. */
function* talks(): Guest {
	yield* says('kernel: no root\n');
	yield new Gate().pass;
}

function options(t: ExecutionContext, given: Omit<TestVmOptions, 'dumps'> = {}, script: GuestScript = talks) {
	const dumps = mkdtempSync(join(tmpdir(), 'openvmm-dumps-'));
	t.teardown(() => rmSync(dumps, {recursive: true, force: true}));
	const host = fakeHost(t, script);
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
	t.true(folderIn(error?.message ?? '').startsWith(join(asked.dumps, 'openvmm-kernel-')), error?.message);
	const {files, text} = kept(error?.message);
	t.deepEqual(files, ['console.txt', 'core', 'error.txt', 'inspect.txt']);
	t.is(text('console.txt'), 'kernel: no root\n');
	t.regex(text('error.txt'), /RangeError: not what was wanted[\s\S]*The machine: running/);
	t.regex(text('inspect.txt'), /vcpus/);
});

/** What is in the folder that a message names. */
function kept(message = '') {
	const folder = folderIn(message);
	const text = (name: string) => readFileSync(join(folder, name), 'utf8');
	return {files: readdirSync(folder).sort(), text};
}

/** Time that passes when the test says so. */
function ownTime(t: ExecutionContext): (ms: number) => void {
	mock.timers.enable({apis: ['setTimeout']});
	t.teardown(() => mock.timers.reset());
	return (ms) => mock.timers.tick(ms);
}

for (const [what, limit] of [
	['than it may', 1000],
	['than usual', undefined],
] as const)
	test.serial(`a body that takes longer ${what} is told of, and given up`, async (t) => {
		const pass = ownTime(t);
		const asked = options(t, limit === undefined ? {} : {limit});
		let isAborted = false;
		const error = await t.throwsAsync(
			withVm(asked, async (_, signal) => {
				signal.addEventListener('abort', () => {
					isAborted = true;
				});
				pass(limit ?? 60_000);
				await new Promise(() => {});
			}),
			{code: 'VM_TEST_LIMIT'},
		);
		t.true(isAborted);
		t.true(existsSync(folderIn(error?.message ?? '')));
	});

/** Says something, and then comes to nothing. */
function* dies(): Guest {
	yield* says('kernel: no root\n');
	yield {exit: 'shutdown'};
}

test.serial('a machine that does not answer in time leaves a folder, too', async (t) => {
	const asked = options(t, {agent: 'vsock', startTimeout: 1, core: true});
	const body = async () => t.fail('it is not ready');
	const error = await t.throwsAsync(withVm(asked, body), {code: 'VM_START_TIMEOUT'});
	const {files, text} = kept(error?.message);
	t.deepEqual(files, ['console.txt', 'core', 'error.txt', 'inspect.txt']);
	t.regex(text('error.txt'), /was not ready within[\s\S]*The machine: running/);
	t.regex(text('inspect.txt'), /vcpus/);
});

test.serial('a guest that crashes leaves its core as it was then, whether it was ready or not', async (t) => {
	for (const agent of ['vsock', false] as const) {
		const asked = options(t, {agent, core: true}, dies);
		const body = (vm: VM) => vm.console.find('login:', {timeout: Number.POSITIVE_INFINITY});
		const code = agent === false ? 'VM_CONSOLE_ENDED' : 'VM_START_ENDED';
		const error = await t.throwsAsync(withVm(asked, body), {code});
		const {files, text} = kept(error?.message);
		t.deepEqual(files, ['console.txt', 'core', 'error.txt', 'inspect.txt']);
		t.is(text('core').slice(0, 4), '\x7fELF');
		t.is(text('console.txt'), 'kernel: no root\n');
		t.regex(text('error.txt'), /The machine: stopped/);
		// One that was to crash leaves nothing.
		const again = {...asked, host: fakeHost(t, dies)};
		if (agent === false) await withVm(again, async (vm) => void (await vm.ended));
		t.is(readdirSync(asked.dumps).length, 1);
	}
});

test.serial('a machine that cannot be made leaves no folder', async (t) => {
	const asked = options(t);
	const nothing = {...asked, boot: {...asked.boot, image: '/none'}} as TestVmOptions;
	const error = await t.throwsAsync(withVm(nothing, async () => {}));
	t.is(folderIn(error?.message ?? ''), '');
	t.deepEqual(readdirSync(asked.dumps), []);
});

test.serial('the limit of a test is one of its machine’s making too', async (t) => {
	const pass = ownTime(t);
	const log = () => pass(1000);
	const {both} = tests();
	const ways = {
		withVm: (given: TestVmOptions) => withVm(given, async () => t.fail('it is not ready')),
		testVm: (given: TestVmOptions) => testVm(both(true)[0] as TestLifetime, given),
	};
	for (const [name, make] of Object.entries(ways)) {
		const asked = options(t, {agent: 'vsock', limit: 1000, log});
		const error = await t.throwsAsync(make(asked), {code: 'VM_TEST_LIMIT'}, name);
		const {text} = kept(error?.message);
		t.is(text('console.txt'), 'kernel: no root\n', name);
		t.regex(text('error.txt'), /The test of kernel took longer than 1000 ms[\s\S]*The machine: running/, name);
	}
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
	const pass = ownTime(t);
	for (const runner of both(true)) {
		const asked = options(t, {limit: 1000});
		const vm = await testVm(runner, asked);
		const never = {code: 'VM_CONSOLE_ENDED'};
		const finding = vm.console.find('what never comes', {timeout: Number.POSITIVE_INFINITY});
		pass(1000);
		await t.throwsAsync(finding, never);
		await atEnd.pop()?.();
		const said = told.pop();
		t.regex(said ?? '', /The test of kernel took longer than 1000 ms\. What the machine was at is in/);
		t.deepEqual(kept(said).files, ['console.txt', 'error.txt', 'inspect.txt']);
	}
});

test.serial('a test that its runner ends before the machine is ready is told where that was', async (t) => {
	const {atEnd, told, both} = tests();
	for (const runner of both(true)) {
		const booted = Promise.withResolvers<void>();
		const making = testVm(runner, options(t, {agent: 'vsock', log: () => booted.resolve()}));
		const over = t.throwsAsync(making, {code: 'VM_TEST_ENDED'});
		await booted.promise;
		await atEnd.pop()?.();
		await over;
		const {files, text} = kept(told.pop());
		t.deepEqual(files, ['console.txt', 'error.txt', 'inspect.txt']);
		t.is(text('console.txt'), 'kernel: no root\n');
	}
});
