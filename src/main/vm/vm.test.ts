import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {
	guestWatchdogKind,
	guestWatchdogPort,
	WatchdogConfig,
	WatchdogPort,
	WatchdogRegister,
	watchdogRunning,
} from '#devices/chipset/guest-watchdog';
import {latchKind} from '#devices/chipset/latch';
import type {GuestActions} from '#main/config';
import {
	firstVector,
	Gate,
	type Guest,
	type GuestScript,
	type GuestStep,
	halt,
	interruptsOn,
	load,
	readPort,
	relax,
	store,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import {entry, type FakeMachineOptions, fakeMachine} from './testing/index.ts';
import type {VmEnd} from './vm-end.ts';

const port = 0x500;
const config: FakeMachineOptions['config'] = {
	devices: [
		{kind: latchKind, options: {port}},
		{kind: 'debug-exit', options: {port: 0xf4}},
	],
};
/** The power-management block. */
const pm = {status: 0x400, enable: 0x402, control: 0x404, powerButton: 0x100, sleep: 0x2000, typeS4: 0x400};

/** A guest that does these, and then nothing. */
const does = (...steps: GuestStep[]): GuestScript =>
	function* () {
		for (const step of steps) yield step;
	};

/** A guest that waits for interrupts. */
function* halts(): Guest {
	for (;;) yield halt();
}

/** Lets everything happen that does not wait for anybody. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a machine runs its processors’ scripts, pauses, goes on where they were, and ends with nothing left', async (t) => {
	const seen: number[] = [];
	const gate = new Gate();
	function* guest(): Guest {
		yield writePort(port, 4, 0x1234);
		seen.push(yield readPort(port, 4));
		yield gate.pass;
		seen.push(yield readPort(port, 2));
	}
	const {vm, hypervisor, workers} = await fakeMachine(t, [guest, does()], {config});
	t.is(vm.state, 'created');
	t.is(
		hypervisor.regions.reduce((sum, {length}) => sum + length, 0),
		16 * 2 ** 20,
	);
	t.is(workers.alive, 3);

	await vm.start();
	await gate.reached;
	await vm.pause();
	t.deepEqual(seen, [0x1234]);
	t.is(vm.state, 'paused');
	t.is((await vm.readRegisters(0)).general.rip, BigInt(entry) + 2n);

	gate.open();
	await settled();
	t.deepEqual(seen, [0x1234], 'a paused guest stands still');
	await vm.start();
	await vm.pause();
	t.deepEqual(seen, [0x1234, 0x1234]);

	await vm.stop();
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.true(hypervisor.isClosed);
	t.deepEqual(hypervisor.leftBehind, []);
	t.is(workers.alive, 0);
});

test('processors share memory, and what is no RAM is an access outside it', async (t) => {
	const [flag, answer, nowhere] = [0x20_0000, 0x20_0004, 0xd000_0000];
	const seen: number[] = [];
	function* boot(): Guest {
		yield store(flag, 4, 1);
		while ((yield load(answer, 4)) === 0) yield relax();
		seen.push(yield load(answer, 4), yield load(nowhere, 2));
		yield writePort(0xf4, 1, 0);
	}
	function* other(): Guest {
		while ((yield load(flag, 4)) === 0) yield relax();
		yield store(answer, 4, 42);
	}
	const {vm} = await fakeMachine(t, [boot, other], {config});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'exit', status: 1});
	t.deepEqual(seen, [42, 0xffff]);
});

test('a guest in HLT is woken by a device’s line, and by an NMI also with interrupts off', async (t) => {
	const vectors: number[] = [];
	const [listening, deaf] = [new Gate(), new Gate()];
	listening.open();
	deaf.open();
	function* guest(): Guest {
		yield writePort(pm.enable, 2, pm.powerButton);
		yield listening.pass;
		vectors.push(yield halt());
		yield interruptsOn(false);
		yield deaf.pass;
		vectors.push(yield halt());
		yield writePort(0xf4, 1, 1);
	}
	const {vm, hypervisor} = await fakeMachine(t, [guest], {config: {...config, irqchip: 'kernel'}});
	await vm.start();
	await listening.reached;
	await vm.powerButton();
	await deaf.reached;
	t.deepEqual(hypervisor.lines, [{gsi: 9, asserted: true}]);
	await vm.nmi();
	t.deepEqual(await vm.ended, {kind: 'exit', status: 3});
	t.deepEqual(vectors, [firstVector + 9, 2]);
	t.is(hypervisor.vcpus[0]?.nmis, 1);
});

test('an NMI stops no other processor', async (t) => {
	const vectors: number[] = [];
	const [ready, done] = [new Gate(), new Gate()];
	ready.open();
	function* guest(): Guest {
		yield ready.pass;
		vectors.push(yield halt());
		yield done.pass;
	}
	const {vm, hypervisor} = await fakeMachine(t, [guest, () => halts()], {start: true});
	await ready.reached;
	const others: number[] = [];
	hypervisor.moment = (_moment, vcpu) => void (vcpu === 0 || others.push(vcpu));
	await vm.nmi();
	await done.reached;
	t.deepEqual([vectors, others], [[2], []]);
});

test('an NMI that comes while the machine is paused is in its snapshot, and gone after a reset', async (t) => {
	const {vm, hypervisor} = await fakeMachine(t, [() => halts()], {start: true});
	const nmis = () => hypervisor.vcpus[0]?.nmis;
	await vm.pause();
	await vm.nmi();
	t.is(nmis(), 0);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-nmi-'));
	try {
		await vm.saveSnapshot(join(folder, 'snapshot'));
	} finally {
		rmSync(folder, {recursive: true});
	}
	t.is(nmis(), 1);
	await vm.nmi();
	await vm.reset();
	await vm.start();
	await vm.pause();
	t.is(nmis(), 0);
});

interface GuestEnd {
	/** The guest's step to its end. */
	readonly step: GuestStep;
	readonly action?: keyof GuestActions;
	/** Gives the machine's end when the action is to exit with this status. */
	end(status: number): VmEnd;
}

const exit = (status: number): VmEnd => ({kind: 'exit', status});
const powerOff = (kind: 'power-off' | 'hibernate') => (status: number) =>
	status === 0 ? ({kind} as const) : exit(status);
const crash = (reason: string, vcpu?: number) => (status: number) =>
	({kind: 'crash', reason, ...(vcpu !== undefined && {vcpu}), status}) as const;

const guestEnds: Readonly<Record<string, GuestEnd>> = {
	'a triple fault': {step: {exit: 'shutdown'}, action: 'crash', end: crash('triple fault', 0)},
	'a panic that it reports': {
		step: writePort(0x505, 1, 1),
		action: 'crash',
		end: crash('the guest reported a panic'),
	},
	'a reset by the keyboard controller': {step: writePort(0x64, 1, 0xfe), action: 'reset', end: exit},
	'a reset that the back end asks for': {step: {exit: 'reset'}, action: 'reset', end: exit},
	'soft-off': {step: writePort(pm.control, 2, pm.sleep), action: 'shutdown', end: powerOff('power-off')},
	hibernation: {step: writePort(pm.control, 2, pm.sleep | pm.typeS4), action: 'shutdown', end: powerOff('hibernate')},
	'a power-off that the back end asks for': {step: {exit: 'power-off'}, action: 'shutdown', end: powerOff('power-off')},
};

for (const [name, {step, action, end}] of Object.entries(guestEnds)) {
	const guestActions = (chosen: GuestActions[keyof GuestActions]) => ({...(action && {[action]: chosen})});

	test(`${name} ends the machine with the status that was chosen, and frees everything`, async (t) => {
		for (const status of [0, 7]) {
			const {vm, hypervisor, workers} = await fakeMachine(t, [does(step), does()], {
				config: {guestActions: guestActions({exit: status})},
				start: true,
			});
			t.deepEqual(await vm.ended, end(status));
			t.deepEqual([vm.state, hypervisor.isClosed, hypervisor.leftBehind, workers.alive], ['stopped', true, [], 0]);
		}
	});

	test(`${name} keeps the machine where that was chosen, until it is reset`, async (t) => {
		const told: VmEnd[] = [];
		let tell = Promise.withResolvers<void>();
		const halted = (how: VmEnd) => {
			told.push(how);
			tell.resolve();
		};
		const {vm} = await fakeMachine(t, [does(step)], {config: {guestActions: guestActions('halt')}, halted});
		await vm.start();
		await tell.promise;
		t.is(vm.state, 'halted');
		await vm.start();
		t.is(vm.state, 'halted', 'there is nothing that could go on');
		tell = Promise.withResolvers<void>();
		await vm.reset();
		await tell.promise;
		t.deepEqual(told, [end(0), end(0)]);
	});

	test(`${name} starts the guest again where that was chosen, with devices as at power-on`, async (t) => {
		const seen: number[] = [];
		const again = new Gate();
		function* guest(): Guest {
			seen.push(yield readPort(port, 4));
			yield writePort(port, 4, 5);
			if (seen.length < 2) yield step;
			yield again.pass;
		}
		const {vm, hypervisor} = await fakeMachine(t, [guest, does(relax())], {
			config: {...config, guestActions: guestActions('reset')},
			start: true,
		});
		await again.reached;
		t.deepEqual(seen, [0, 0]);
		t.is(vm.state, 'running');
		t.is(hypervisor.vcpus.length, 2, 'the processors are the same ones');
		await vm.pause();
		t.is((await vm.readRegisters(0)).general.rip, BigInt(entry) + 2n);
	});
}

test('a watchdog that nobody feeds ends its machine, or starts the guest again, which is told so', async (t) => {
	const [address, data, expired] = [guestWatchdogPort + WatchdogPort.ADDRESS, guestWatchdogPort + WatchdogPort.DATA, 0];
	for (const action of [{exit: 9}, 'reset'] as const) {
		const configs: number[] = [];
		const [armed, again] = [new Gate(), new Gate()];
		function* guest(): Guest {
			yield writePort(address, 4, WatchdogRegister.CONFIG);
			configs.push(yield readPort(data, 4));
			if (configs.length > 1) yield again.pass;
			yield writePort(address, 4, WatchdogRegister.COUNT);
			yield writePort(data, 4, expired);
			yield writePort(address, 4, WatchdogRegister.CONFIG);
			yield writePort(data, 4, watchdogRunning);
			yield armed.pass;
		}
		const {vm, workers} = await fakeMachine(t, [guest], {
			config: {devices: [{kind: guestWatchdogKind}], guestActions: {watchdog: action}},
			start: true,
		});
		await armed.reached;
		workers.reactors[0]?.turn();
		if (action === 'reset') await again.reached;
		else t.deepEqual(await vm.ended, {kind: 'watchdog', status: 9});
		t.deepEqual(configs, action === 'reset' ? [0, WatchdogConfig.BOOT_STATUS] : [0]);
	}
});
