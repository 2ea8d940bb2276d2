import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {type VmOptions, vmConfig} from '#main/config';
import type {Machine} from '#main/operations';
import type {VmEnd} from '#main/vm';
import {abortable, untilAborted} from '#support/abort';
import {VmmError} from '#support/errors';
import {type Logger, plainLogger} from './logger.ts';
import {claimPidFile} from './pid-file.ts';
import {type RunParts, runMachine} from './run.ts';
import type {TerminalOptions} from './terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-run-'));
// A real machine's threads keep the process; promises and signal handlers alone do not.
const alive = setInterval(() => {}, 1000);
test.after.always(() => {
	clearInterval(alive);
	rmSync(directory, {recursive: true});
});

/** A machine that ends when the test says so, and the calls made to it and around it. */
function stage(changes: Partial<Machine> = {}) {
	const calls: string[] = [];
	const {promise: ended, resolve: end} = Promise.withResolvers<VmEnd>();
	const call = (name: string) => async () => void calls.push(name);
	const pretended: Partial<Machine> = {
		state: 'running',
		ended,
		pause: call('pause'),
		resume: call('resume'),
		reset: call('reset'),
		stop: call('stop'),
		...changes,
	};
	const machine = pretended as Machine;
	const {promise: attached, resolve: attach} = Promise.withResolvers<TerminalOptions>();
	const {promise: opened, resolve: open} = Promise.withResolvers<() => void>();
	const parts: RunParts = {
		createMachine: async () => ({machine, watchersLeft: Promise.resolve()}),
		openLog: async () => plainLogger('silent'),
		claimPidFile,
		attachTerminal: (_machine, options) => {
			attach(options);
			return {restore: () => void calls.push('restore')};
		},
		openEntry: async () => undefined,
		openControl: async (_machine, _config, _entry, _log, quit) => {
			open(quit);
			return {close: () => void calls.push('close')};
		},
	};
	return {calls, end, parts, attached, opened};
}

const run = (parts: RunParts, vm: VmOptions = {}, files: {pidFile?: string} = {}) =>
	runMachine({vm: vmConfig(vm), process: {logLevel: 'silent', ...files}}, parts);

const ends: [VmEnd, number][] = [
	[{kind: 'power-off'}, 0],
	[{kind: 'hibernate'}, 0],
	[{kind: 'stopped'}, 0],
	[{kind: 'exit', status: 17}, 17],
	[{kind: 'crash', reason: 'triple fault', vcpu: 0, status: 3}, 3],
	[{kind: 'crash', reason: 'the guest reported a panic', status: 4}, 4],
	[{kind: 'watchdog', status: 9}, 9],
	[{kind: 'error', error: {code: 'KVM_IOCTL_FAILED', message: 'KVM_RUN failed with EIO', context: {}}}, 1],
];
for (const [end, status] of ends) {
	test.serial(`a machine that ends by ${end.kind} gives status ${status}, with the terminal restored`, async (t) => {
		const {parts, calls, end: finish} = stage();
		finish(end);
		t.is(await run(parts), status);
		t.true(calls.includes('restore'));
		t.true(calls.includes('stop'));
	});
}

test.serial('signals pause, resume and reset the machine, and no longer when it is over', async (t) => {
	const {parts, calls, opened, end} = stage();
	const listeners = async (...words: Parameters<RunParts['openControl']>) => {
		// A test that sees the socket sends them at once.
		t.is(process.listenerCount('SIGTSTP'), 1);
		return parts.openControl(...words);
	};
	const status = run({...parts, openControl: listeners});
	await opened;
	for (const [signal, call] of [
		['SIGTSTP', 'pause'],
		['SIGCONT', 'resume'],
		['SIGUSR2', 'reset'],
	] as const) {
		process.kill(process.pid, signal);
		while (!calls.includes(call)) await new Promise((resolve) => setTimeout(resolve, 5));
	}
	end({kind: 'power-off'});
	t.is(await status, 0);
	t.is(process.listenerCount('SIGTSTP'), 0);
});

test.serial('quitting at the console gives status 0', async (t) => {
	const {parts, calls, attached} = stage();
	const status = run(parts, {paused: true});
	const {paused, quit} = await attached;
	t.true(paused);
	quit();
	t.is(await status, 0);
	t.deepEqual(calls, ['stop', 'close', 'restore']);
});

test.serial('a control client can end the machine, and its socket goes first', async (t) => {
	const {parts, calls, opened} = stage();
	const status = run(parts);
	(await opened)();
	t.is(await status, 0);
	t.deepEqual(calls, ['stop', 'close', 'restore']);
});

test.serial('a control socket that was asked for and cannot be made ends the machine', async (t) => {
	const {parts, calls} = stage();
	const error = new VmmError({code: 'CONTROL_SOCKET_TAKEN', message: 'Taken', context: {}});
	t.is(await run({...parts, openControl: () => Promise.reject(error)}), 2);
	t.deepEqual(calls, ['stop', 'restore']);
});

test.serial('input goes to the guest only when a port has the console', async (t) => {
	const toGuest = async (vm: VmOptions) => {
		const {parts, end, attached} = stage();
		end({kind: 'power-off'});
		await run(parts, vm);
		return (await attached).toGuest;
	};
	t.true(await toGuest({}));
	t.false(await toGuest({devices: []}));
});

for (const [signal, status] of [
	['SIGINT', 130],
	['SIGTERM', 143],
	['SIGHUP', 129],
] as const) {
	test.serial(`${signal} stops the machine and gives status ${status}`, async (t) => {
		const {parts, calls, attached} = stage();
		const result = run(parts);
		await attached;
		process.kill(process.pid, signal);
		t.is(await result, status);
		t.deepEqual(calls, ['stop', 'close', 'restore']);
	});
}

test.serial('a signal while the machine is being built stops it once it is there', async (t) => {
	const {parts, calls} = stage();
	const built = Promise.withResolvers<void>();
	const slow = {
		...parts,
		createMachine: (...words: Parameters<RunParts['createMachine']>) =>
			built.promise.then(() => parts.createMachine(...words)),
	};
	const result = run(slow);
	process.kill(process.pid, 'SIGTERM');
	await new Promise((resolve) => setTimeout(resolve, 20));
	built.resolve();
	t.is(await result, 143);
	t.true(calls.includes('stop'));
});

test.serial('a signal gives up the machine that is being built, and its status is the end', async (t) => {
	const {parts, calls} = stage();
	const building = {
		...parts,
		createMachine: (_log: Logger, signal: AbortSignal) =>
			abortable('create', signal, () => untilAborted(new Promise<never>(() => {}), signal)),
	};
	const pidFile = join(directory, 'given-up.pid');
	const result = run(building, {}, {pidFile});
	process.kill(process.pid, 'SIGTERM');
	t.is(await result, 143);
	t.deepEqual(calls, []);
	t.false(existsSync(pidFile));
});

test.serial('a machine that cannot be built gives the status of its error, and nothing is left', async (t) => {
	const {parts} = stage();
	const pidFile = join(directory, 'unbuilt.pid');
	const failing = {
		...parts,
		createMachine: () => Promise.reject(new VmmError({code: 'KVM_MISSING', message: 'No KVM', context: {}})),
	};
	t.is(await run(failing, {}, {pidFile}), 4);
	t.false(existsSync(pidFile));
});

test.serial('an error that nothing caught stops the machine and gives status 1', async (t) => {
	const {parts, calls, attached} = stage();
	const result = run(parts);
	await attached;
	// Only our own listener: the test runner's would end the test run.
	process.listeners('uncaughtException').at(-1)?.(new TypeError('a bug'), 'uncaughtException');
	t.is(await result, 1);
	t.deepEqual(calls, ['stop', 'close', 'restore']);
});

test.serial('a wrong configuration gives its status before anything is built', async (t) => {
	const {parts} = stage();
	const unbuilt = {...parts, createMachine: () => t.fail() as never};
	t.is(await run(unbuilt, {processors: {count: 0}}), 2);
	t.is(await run(unbuilt, {memory: {sizeBytes: 2 ** 50}}), 7);
});

test.serial('the pid file is there while the machine runs and gone afterwards', async (t) => {
	const {parts, end, attached} = stage();
	const pidFile = join(directory, 'run.pid');
	const result = run(parts, {}, {pidFile});
	await attached;
	t.is(readFileSync(pidFile, 'utf8'), `${process.pid}\n`);
	end({kind: 'power-off'});
	await result;
	t.false(existsSync(pidFile));
});
