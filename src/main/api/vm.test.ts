import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createDisk} from '#main/disk-images';
import type {HostOptions} from '#main/vm';
import {Gate, type Guest, type GuestScript, readPort, writePort} from '#vcpu-worker/hypervisor/testing';
import {type CreateVmOptions, type ForkOptions, VM} from './index.ts';
import type {ForksRunOn, RunOn} from './options.ts';
import {fakeHost, flatGuest, says} from './testing/index.ts';

const latch = 0x500;
const exitPort = 0xf4;
const devices = [
	{kind: 'latch', options: {port: latch}},
	{kind: 'debug-exit', options: {port: exitPort}},
];
const small = {memory: '16M', network: false, devices} as const;

/** The same choices for a machine that runs on `host`. */
const on = <T>(host: HostOptions, options: T): T & RunOn => ({...options, host});

/** Machines have their folders below one of this file's own, so that those of others do not count. */
const place = mkdtempSync(join(tmpdir(), 'openvmm-api-test-'));
process.env['TMPDIR'] = place;
test.after.always(() => rmSync(place, {recursive: true, force: true}));

/** Folders of machines that there are: each has one. */
const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('openvmm-vm-'));

/** Memory and disks of machines that this process has open. */
const held = () =>
	readdirSync('/proc/self/fd')
		.map((fd) => {
			try {
				return readlinkSync(`/proc/self/fd/${fd}`);
			} catch {
				// That of the folder itself.
				return '';
			}
		})
		.filter((path) => /memfd|\.img|\.qcow2/.test(path))
		.sort();

async function make(t: ExecutionContext, script: GuestScript, options: CreateVmOptions = {}): Promise<VM> {
	const vm = await VM.create(on(fakeHost(t, script), {...small, boot: flatGuest(t), ...options}));
	t.teardown(() => vm[Symbol.asyncDispose]());
	return vm;
}

/** Does nothing more, and costs nothing. */
function* forever(): Guest {
	yield new Gate().pass;
}

test.serial('a machine without the agent has a console, an end and a name, and leaves nothing', async (t) => {
	const before = folders();
	const told: string[] = [];
	const script = function* (): Guest {
		yield* says('hello, ');
		yield* says('world\nlogin: ');
		yield writePort(exitPort, 1, 0x10);
	};
	const vm = await make(t, script, {name: 'web-1', log: (text) => void told.push(text)});
	t.is(vm.name, 'web-1');
	const [, who] = await vm.console.find(/hello, (\w+)/);
	t.is(who, 'world');
	await vm.console.find('login: ');
	t.deepEqual(await vm.ended, {kind: 'exit', status: 0x21});
	const late = await t.throwsAsync(vm.console.find(/hello/), {code: 'VM_CONSOLE_ENDED'});
	t.regex(late?.message ?? '', /web-1 ended before its console showed \/hello\/.*login:/s);
	await t.throwsAsync(vm.exec('true'), {code: 'VM_AGENT_MISSING', message: /exec/});
	await t.throwsAsync(vm.files.read('/etc/passwd'), {code: 'VM_AGENT_MISSING'});
	t.is(told.join(''), 'hello, world\nlogin: ');
	await vm[Symbol.asyncDispose]();
	t.deepEqual(folders(), before);
});

test.serial('a console that does not show what is waited for says what it shows instead', async (t) => {
	const vm = await make(t, function* (): Guest {
		yield* says('panic: \u001b[31mno root\n');
		yield* forever();
	});
	await vm.console.find('panic');
	const error = await t.throwsAsync(vm.console.find(/login:/g, {timeout: 1}), {code: 'VM_CONSOLE_TIMEOUT'});
	t.regex(error?.message ?? '', /did not show \/login:\/g within 1 ms.*panic: \?\[31mno root/s);
	const asked = new AbortController();
	const waiting = vm.console.find(/login:/, {signal: asked.signal});
	const typing = vm.console.write('x'.repeat(1_000_000), {signal: asked.signal});
	asked.abort(new Error('enough'));
	const given = await t.throwsAsync(waiting, {code: 'OPERATION_ABORTED', message: /enough/});
	t.is(given?.cause, asked.signal.reason);
	await t.throwsAsync(typing, {code: 'OPERATION_ABORTED', message: /enough/}, 'the guest does not read');
	await t.throwsAsync(vm.fork(0), {code: 'VM_OPTION_INVALID', message: /count is 0/});
	await t.throwsAsync(vm.fork(1.5), {code: 'VM_OPTION_INVALID'});
});

test.serial('whatever is given up says so in one way, and leaves the machine as it was', async (t) => {
	const vm = await make(t, forever);
	const works: Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>> = {
		pause: (signal) => vm.pause({signal}),
		resume: (signal) => vm.resume({signal}),
		inspect: (signal) => vm.inspect('', {signal}),
		listen: (signal) => vm.listen(1234, {signal}),
		stop: (signal) => vm.stop({signal}),
		snapshot: (signal) => vm.snapshot(join(place, 'never'), {signal}),
		fork: (signal) => vm.fork(1, {signal}),
	};
	const reason = new Error('enough');
	for (const [name, work] of Object.entries(works)) {
		const error = await t.throwsAsync(work(AbortSignal.abort(reason)), {code: 'OPERATION_ABORTED'}, name);
		t.is(error?.cause, reason, name);
	}
	// One whose turn has not come.
	const asked = new AbortController();
	const pausing = vm.pause({signal: asked.signal});
	asked.abort(reason);
	await t.throwsAsync(pausing, {code: 'OPERATION_ABORTED', message: /pause .*enough/});
	t.is(await vm.inspect('vm/state'), 'running');
	await vm.pause();
	const again = new AbortController();
	const resuming = vm.resume({signal: again.signal});
	again.abort(reason);
	await t.throwsAsync(resuming, {code: 'OPERATION_ABORTED'});
	t.is(vm.machine.state, 'paused');

	const open = new AbortController();
	const listener = await vm.listen(1234, {signal: open.signal});
	const taken = (async () => {
		for await (const _ of listener) t.fail('nobody connects');
	})();
	open.abort();
	await taken;
});

test.serial('forks go on from where a machine is, each by itself, and end by themselves', async (t) => {
	const before = folders();
	const gate = new Gate();
	const script: GuestScript = function* (): Guest {
		yield writePort(latch, 4, 7);
		yield gate.pass;
		const value = (yield readPort(latch, 4)) as number;
		yield* says(`went on with ${value}\n`);
		yield writePort(exitPort, 1, 0x10);
	};
	const vm = await make(t, script, {name: 'first'});
	await gate.reached;
	const open = new Gate();
	open.open();
	const again: GuestScript = function* (): Guest {
		yield writePort(latch, 4, 7);
		yield open.pass;
		const value = (yield readPort(latch, 4)) as number;
		yield* says(`went on with ${value}\n`);
		yield writePort(exitPort, 1, 0x10);
	};
	const options: ForkOptions & ForksRunOn = {hostOf: () => fakeHost(t, again)};
	const forks = await vm.fork(2, options);
	t.deepEqual(
		forks.map(({name}) => name),
		['first-1', 'first-2'],
	);
	for (const fork of forks) {
		await fork.console.find('went on with 7');
		t.deepEqual(await fork.ended, {kind: 'exit', status: 0x21});
		await fork[Symbol.asyncDispose]();
	}
	t.is(vm.machine.state, 'running');
	gate.open();
	await vm.console.find('went on with 7');
	await vm.ended;
	await vm[Symbol.asyncDispose]();
	t.deepEqual(folders(), before);
});

test.serial(
	'a machine whose disks are its own alone has no forks, and goes on as if none had been asked for',
	async (t) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-api-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const [disk, root] = [join(folder, 'x.qcow2'), join(folder, 'root.img')];
		await createDisk({path: disk}, 2 ** 20);
		writeFileSync(root, new Uint8Array(2 ** 20));
		const cases = [
			[{disks: [disk]}, 'DISK_IMAGE_IN_USE'],
			[{image: root, writable: true}, 'DISK_FILE_LOCKED'],
		] as const;
		for (const [own, code] of cases) {
			const gate = new Gate();
			const script = (at: Gate): GuestScript =>
				function* (): Guest {
					yield writePort(latch, 4, 5);
					yield at.pass;
					yield* says(`latch=${(yield readPort(latch, 4)) as number}\n`);
					yield* forever();
				};
			const vm = await make(t, script(gate), own);
			await gate.reached;
			const before = [folders(), held()];
			const options: ForkOptions & ForksRunOn = {hostOf: () => fakeHost(t, script(new Gate()))};
			await t.throwsAsync(vm.fork(2, options), {code});
			t.deepEqual([folders(), held()], before, 'nothing is left of them');
			gate.open();
			await vm.console.find('latch=5');
			await vm[Symbol.asyncDispose]();
		}
	},
);

test.serial('a snapshot goes on in a machine that is given its host’s side again', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-api-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const gate = new Gate();
	const script = (at: Gate): GuestScript =>
		function* (): Guest {
			yield writePort(latch, 4, 3);
			yield at.pass;
			yield* says(`latch=${(yield readPort(latch, 4)) as number}\n`);
			yield* forever();
		};
	const vm = await make(t, script(gate));
	await gate.reached;
	await vm.snapshot(join(folder, 'saved'));
	await vm.stop();
	const open = new Gate();
	open.open();
	const choices = {network: false, devices, agent: false} as const;
	await using restored = await VM.restore(join(folder, 'saved'), on(fakeHost(t, script(open)), choices));
	await restored.console.find('latch=3');
	t.is((await restored.inspect('vm/state')) as string, 'running');
	await restored.pause();
	t.is((await restored.inspect('vm/state')) as string, 'paused');
	await restored.resume();
	t.is(restored.machine.state, 'running');
});

test.serial(
	'what a killed process has left goes when the next machine is made, and that of one that runs stays',
	async (t) => {
		const before = folders();
		const vm = await make(t, forever);
		const own = folders().find((name) => !before.includes(name)) as string;
		const killed = spawn(process.execPath, ['-e', '0']);
		await once(killed, 'exit');
		const left = own.replace(`-${process.pid}-`, `-${killed.pid}-`);
		const [strange, alive] = [`openvmm-vm-00000000-${killed.pid}-abc`, own.replace(`-${process.pid}-`, '-1-')];
		for (const name of [left, strange, alive]) mkdirSync(join(place, name));
		writeFileSync(join(place, left, 'vsock'), '');
		const other = await make(t, forever);
		t.false(folders().includes(left));
		for (const name of [own, strange, alive]) t.true(folders().includes(name), name);
		await other[Symbol.asyncDispose]();
		await vm[Symbol.asyncDispose]();
		for (const name of [strange, alive]) rmdirSync(join(place, name));
		t.deepEqual(folders(), before);
	},
);

test.serial('a machine that cannot be, or is given up at any step, leaves nothing', async (t) => {
	const before = folders();
	const boot = flatGuest(t);
	await t.throwsAsync(VM.create({...small, boot, name: 'No Name'}), {code: 'VM_OPTION_INVALID', message: /name/});
	await t.throwsAsync(VM.create({...small, boot, memory: 'much'}), {code: 'CONFIG_VALUE_INVALID'});
	await t.throwsAsync(VM.create({...small, boot, signal: AbortSignal.abort()}), {code: 'OPERATION_ABORTED'});
	for (const step of ['machine', 'boot', 'ready'] as const) {
		const asked = new AbortController();
		const progress = (at: string) => {
			if (at === step) asked.abort(new Error(`at ${step}`));
		};
		const making = VM.create(on(fakeHost(t, forever), {...small, boot, signal: asked.signal, progress}));
		if (step === 'ready') await (await making)[Symbol.asyncDispose]();
		else await t.throwsAsync(making, {code: 'OPERATION_ABORTED', message: new RegExp(`at ${step}`)});
		t.deepEqual(folders(), before, step);
	}
});

test.serial(
	'a guest without an agent that was to have one is told of with its console, and one that ends too',
	async (t) => {
		const before = folders();
		const snapshotOf = async (script: GuestScript, gate: Gate) => {
			const folder = mkdtempSync(join(tmpdir(), 'openvmm-api-'));
			t.teardown(() => rmSync(folder, {recursive: true, force: true}));
			const vm = await make(t, script);
			await gate.reached;
			await vm.snapshot(join(folder, 'saved'));
			await vm.stop();
			return join(folder, 'saved');
		};
		const scripts = (then: () => Guest) => (gate: Gate) =>
			function* (): Guest {
				yield gate.pass;
				yield* says('no agent here\n');
				yield* then();
			};
		const open = new Gate();
		open.open();
		const silent = scripts(forever);
		const choices = {network: false, devices} as const;
		const gate = new Gate();
		const saved = await snapshotOf(silent(gate), gate);
		const late = VM.restore(saved, on(fakeHost(t, silent(open)), {...choices, startTimeout: 500, name: 'late'}));
		const error = await t.throwsAsync(late, {code: 'VM_START_TIMEOUT'});
		t.regex(error?.message ?? '', /late was not ready within 0\.5 seconds: it waited for the guest agent/);
		const ending = scripts(function* () {
			yield writePort(exitPort, 1, 0x10);
		});
		const other = new Gate();
		const ends = await snapshotOf(ending(other), other);
		const ended = await t.throwsAsync(VM.restore(ends, on(fakeHost(t, ending(open)), choices)), {
			code: 'VM_START_ENDED',
		});
		t.regex(ended?.message ?? '', /ended before it was ready \(exit\)/);
		t.deepEqual(folders(), before);
	},
);
