import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {debugExitKind} from '#devices/chipset/debug-exit';
import {latchKind} from '#devices/chipset/latch';
import {IoVectors} from '#devices/guest-memory';
import {openSnapshot} from '#main/snapshot';
import {InProcessWorkers} from '#main/workers/testing';
import {unchecked} from '#support/trust';
import {
	type FakeHypervisor,
	Gate,
	type Guest,
	type GuestScript,
	type GuestStep,
	halt,
	type Moment,
	readPort,
	store,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import {type FakeMachine, type FakeMachineOptions, fakeMachine, openFiles} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-independence-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** Faults that the device of {@link failing} can be made to commit. */
type Fault = 'read' | 'write' | 'start' | 'stop' | 'notified' | 'queueReady' | 'dispose' | 'endless stop';

const device = join(folder, 'device.mjs');
const structs = new URL('../../support/wire/index.ts', import.meta.url).href;
writeFileSync(
	device,
	`import {u8, wire} from ${JSON.stringify(structs)};
	export default {
		kind: 'failing',
		summary: 'A device that fails in one way',
		options: {fault: {type: 'text', example: 'read', help: 'where'}},
		state: wire('failing', {status: u8}),
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x600, length: 8}]},
		doorbells: () => [{region: 0, offset: 4, size: 4, queue: 0}],
		front({fault}, _state, services) {
			return {
				read() {
					if (fault === 'read') throw new Error('read went wrong');
					return 0;
				},
				write() {
					if (fault === 'write') throw new Error('write went wrong');
					services.notifyBack();
				},
			};
		},
		back({fault}) {
			const may = (when) => {
				if (fault === when) throw new Error(when + ' went wrong');
			};
			return {
				start: () => may('start'),
				async stop() {
					may('stop');
					if (fault === 'endless stop') await new Promise(() => {});
				},
				notified: () => may('notified'),
				queueReady: () => may('queueReady'),
				dispose: () => may('dispose'),
			};
		},
	};`,
);
const failing = (fault: Fault): FakeMachineOptions['config'] => ({
	devices: [{module: device, options: {fault}}],
});

const [latch, exitPort, counter] = [0x500, 0xf4, 0x10_0800];
const watchedConfig: FakeMachineOptions['config'] = {
	memory: {sizeBytes: 2 ** 21},
	devices: [{kind: latchKind, options: {port: latch}}],
};

/** Counts its interrupts in a device, and shows in memory how many there have been. */
function* counts(): Guest {
	for (;;) {
		yield halt();
		const count = (yield readPort(latch, 4)) + 1;
		yield writePort(latch, 4, count);
		yield store(counter, 4, count);
	}
}

/** Has the guest of {@link counts} go on, which it does until the test is out of time. */
async function advance({vm, hypervisor}: FakeMachine): Promise<void> {
	const count = () => unchecked(vm.memory.readU32(counter)) ?? 0;
	const before = count();
	hypervisor.vcpus[0]?.deliver(0x30);
	while (count() === before) await new Promise((resolve) => setImmediate(resolve));
}

/** Watches a machine of which nobody but its owner may notice anything, while this comes to another one beside it, on its devices' thread. */
async function beside(t: ExecutionContext, disaster: (watched: FakeMachine) => Promise<void>): Promise<void> {
	const shared = new InProcessWorkers({deviceThreads: 1});
	const watched = await fakeMachine(t, [counts], {config: watchedConfig, workers: shared, start: true});
	const {vm, hypervisor, workers} = watched;
	await advance(watched);
	await disaster(watched);
	t.is(vm.state, 'running');
	await advance(watched);
	await vm.pause();
	await vm.saveSnapshot(join(folder, 'watched'));
	await vm.resume();
	await advance(watched);
	t.is(unchecked(vm.memory.readU32(counter)), 3);
	const before = openFiles();
	await vm.stop();
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.deepEqual([workers.alive, hypervisor.isClosed, hypervisor.leftBehind], [0, true, []]);
	t.true(openFiles() < before);
	t.is(shared.devices.length, 1);
}

/** A way for a machine to come to its end. */
interface Way {
	/** The guest's script. */
	readonly guest?: readonly GuestStep[];
	readonly config?: FakeMachineOptions['config'];
	readonly options?: Omit<FakeMachineOptions, 'config'>;
	/** Comes to it when its guest has done that, or the machine is over. */
	readonly after?: (machine: FakeMachine, t: ExecutionContext) => unknown;
	/** Known fields of its end. */
	readonly end: object;
	/** Threads that hang: what they use is kept for them. */
	readonly hanging?: number;
	/** It is about the devices' thread itself, which the other one does not share then. */
	readonly ofThread?: true;
	/** The machine's host resources are kept: something may still use it. */
	readonly isKept?: true;
}

const soon = {limits: {restMs: 20, endStepMs: 20}};
const stop = ({vm}: FakeMachine) => vm.stop();
const turn = ({workers}: FakeMachine) => workers.reactors[0]?.turn();
const error = (code: string, context?: object) => ({kind: 'error', error: {code, ...(context && {context})}});
const failed = (when: string) => error('DEVICE_FAILED', {device: 'failing', when});
const bug = (message: string) => ({kind: 'error', error: {code: 'INTERNAL_ERROR', message}});

/** A back end that fails at this moment. */
const failsAt = (wanted: Moment) => ({
	prepare(hypervisor: FakeHypervisor) {
		hypervisor.moment = (moment) => {
			if (moment === wanted) throw new Error(`no ${wanted}`);
		};
	},
});

function* endless() {
	for (;;) yield 'port' as const;
}

const goneFolder = join(folder, 'gone');
mkdirSync(goneFolder);
/** The folder was there when the machine was made. */
const removal: GuestStep = {
	inside() {
		rmSync(goneFolder, {recursive: true, force: true});
		return 0;
	},
};
/** Results of dumps. */
const dumps: unknown[] = [];
const tripleFault: GuestStep = {exit: 'shutdown'};

const ways: Readonly<Record<string, Way>> = {
	'a processor that cannot run': {guest: [{exit: 'failed'}], end: error('FAKE_FAILED')},
	'a back end that throws': {options: failsAt('run'), end: bug("A vCPU's exit could not be served: no run")},
	'an access without an end': {
		guest: [
			{
				exit: 'port',
				serve({bus}) {
					bus.writePort(exitPort, 1, 0);
					return 0;
				},
				parts: endless(),
			},
		],
		config: {devices: [{kind: debugExitKind, options: {port: exitPort}}]},
		end: error('VCPU_ACCESS_ENDLESS'),
	},
	'a triple fault': {guest: [tripleFault], end: {kind: 'crash', reason: 'triple fault', vcpu: 0}},
	'the death of a processor’s thread': {
		after: ({workers}) => workers.vcpus[0]?.die(new Error('out of memory')),
		end: bug('A vCPU thread failed: out of memory'),
	},
	'a processor’s thread that hangs': {
		options: soon,
		after({vm, workers}) {
			workers.vcpus[0]?.hang();
			return vm.stop();
		},
		end: error('VM_NOT_AT_REST'),
		hanging: 1,
	},
	'a device that throws when it is read': {guest: [readPort(0x600, 1)], config: failing('read'), end: failed('read')},
	'a device that throws when it is written': {
		guest: [writePort(0x600, 1, 1)],
		config: failing('write'),
		end: failed('write'),
	},
	'a device that cannot start': {config: failing('start'), end: failed('start')},
	'a device that cannot stop': {
		config: failing('stop'),
		after: ({vm}) => vm.pause(),
		end: failed('stop'),
	},
	'a device that throws when it is called for': {
		guest: [writePort(0x600, 1, 1)],
		config: failing('notified'),
		after: turn,
		end: failed('notified'),
	},
	'a device that throws at its queue': {
		guest: [writePort(0x604, 4, 1)],
		config: failing('queueReady'),
		after: turn,
		end: failed('queueReady'),
	},
	'a device that throws when it is released': {config: failing('dispose'), after: stop, end: {kind: 'stopped'}},
	'a device that never comes to rest': {
		config: failing('endless stop'),
		options: soon,
		after: ({vm}, t) => t.throwsAsync(vm.pause(), {code: 'VM_NOT_AT_REST'}),
		end: error('VM_NOT_AT_REST'),
		isKept: true,
	},
	'the death of the devices’ thread': {
		ofThread: true,
		after: ({workers}) => workers.devices[0]?.die(new Error('out of memory')),
		end: bug("The devices' thread failed: out of memory"),
	},
	'a devices’ thread that hangs': {
		ofThread: true,
		options: soon,
		after({vm, workers}) {
			workers.devices[0]?.hang();
			return vm.stop();
		},
		end: error('VM_NOT_AT_REST'),
		hanging: 1,
	},
	'memory that somebody never gives back': {
		options: soon,
		after({vm}, t) {
			const vectors = new IoVectors(1);
			t.true(vm.memory.pin(0, 4, 'write', vectors));
			t.teardown(() => vectors.release());
			return vm.stop();
		},
		end: error('VM_STOP_INCOMPLETE', {parts: ['what the host gave']}),
		isKept: true,
	},
	'a partition that cannot be closed': {
		options: failsAt('end'),
		after: stop,
		end: bug('The machine could not be stopped: no end'),
	},
	'a processor that cannot be closed': {options: failsAt('close'), after: stop, end: {kind: 'stopped'}},
	'a crash whose dump cannot be written': {
		guest: [removal, tripleFault],
		config: {crashDumpPath: join(goneFolder, 'core')},
		options: {crashDumped: (_path, refused) => void dumps.push(refused?.code)},
		after: (_machine, t) => t.deepEqual(dumps, ['CORE_DUMP_FAILED']),
		end: {kind: 'crash', reason: 'triple fault', vcpu: 0},
	},
	'a guest that starts again and again': {
		guest: [{exit: 'reset'}],
		config: {guestResetLimit: 2},
		end: {kind: 'reset-loop', resets: 2},
	},
	'an owner that throws when told that the guest has ended': {
		guest: [{exit: 'power-off'}],
		config: {guestActions: {shutdown: 'halt'}},
		options: {
			halted() {
				throw new Error('no window');
			},
		},
		end: bug('The machine could not go on: no window'),
	},
};

for (const [name, way] of Object.entries(ways)) {
	const {guest = [], config, options, after, end, ofThread, hanging = 0, isKept = hanging > 0} = way;
	const given = isKept ? 'with what may still be used kept' : 'with all given back';
	test.serial(`${name} ends this machine, ${given}, and is nothing to another one`, async (t) => {
		await beside(t, async (watched) => {
			const before = openFiles();
			const done = new Gate();
			const script: GuestScript = function* () {
				for (const step of guest) yield step;
				yield done.pass;
			};
			const machine = await fakeMachine(t, [script], {
				...options,
				config: {...watchedConfig, ...config},
				workers: new InProcessWorkers(ofThread ? {} : {beside: watched.workers}),
			});
			const {vm, workers} = machine;
			t.true(openFiles() > before);
			await vm.start();
			await Promise.race([done.reached, vm.ended]);
			await after?.(machine, t);
			t.like(await vm.ended, end);
			t.is(vm.state, 'stopped');
			t.is(workers.alive, hanging);
			t.is(openFiles() > before, isKept);
		});
	});
}

const failures: readonly Fault[] = ['read', 'write', 'start', 'stop', 'notified', 'queueReady'];
for (const fault of failures) {
	test.serial(`a device that fails alone (${fault}) is nothing to its own machine, nor to another one`, async (t) => {
		await beside(t, async (watched) => {
			const before = openFiles();
			const done = new Gate();
			const script: GuestScript = function* () {
				yield writePort(0x600, 1, 1);
				yield writePort(0x604, 4, 1);
				yield readPort(0x600, 1);
				yield done.pass;
			};
			const told = Promise.withResolvers<string>();
			const machine = await fakeMachine(t, [script], {
				config: {...watchedConfig, ...failing(fault), deviceFailure: 'device'},
				deviceFailed: told.resolve,
				workers: new InProcessWorkers({beside: watched.workers}),
				start: true,
			});
			const {vm, workers} = machine;
			await done.reached;
			turn(machine);
			await vm.pause();
			await vm.resume();
			t.is(vm.state, 'running');
			t.is(await told.promise, `The device failing failed (${fault}): ${fault} went wrong`);
			await vm.stop();
			t.deepEqual(await vm.ended, {kind: 'stopped'});
			t.deepEqual([workers.alive, openFiles()], [0, before]);
		});
	});
}

test.serial('a machine that is refused half-way leaves nothing, and is nothing to another one', async (t) => {
	await beside(t, async (watched) => {
		const before = openFiles();
		const workers = new InProcessWorkers({beside: watched.workers});
		const refused = fakeMachine(t, [counts], {...failsAt('enter'), config: watchedConfig, workers});
		await t.throwsAsync(refused, {message: 'no enter'});
		t.is(openFiles(), before);
	});
});

test.serial('a snapshot that is refused is nothing to the machine that was saved', async (t) => {
	await beside(t, async ({vm}) => {
		const directory = join(folder, 'refused');
		await vm.saveSnapshot(directory);
		const snapshot = openSnapshot(directory);
		t.teardown(() => snapshot.close());
		const before = openFiles();
		// No such guest was saved.
		const other = fakeMachine(t, [function* () {}], {config: watchedConfig, snapshot});
		await t.throwsAsync(other, {code: 'STATE_FIELD_WRONG', message: /answers/});
		const lacking = {...snapshot.manifest, hypervisor: {...snapshot.manifest.hypervisor, units: ['kvmclock']}};
		const elsewhere = fakeMachine(t, [counts], {config: watchedConfig, snapshot: {...snapshot, manifest: lacking}});
		await t.throwsAsync(elsewhere, {code: 'SNAPSHOT_HYPERVISOR_LACKS'});
		t.is(openFiles(), before);
	});
});
