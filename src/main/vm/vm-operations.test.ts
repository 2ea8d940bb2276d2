import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type Guest, readPort, relax} from '#vcpu-worker/hypervisor/testing';
import {type FakeMachine, fakeMachine} from './testing/index.ts';
import type {Vm} from './vm.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-operations-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** A guest that has always something to do. */
function* guest(): Guest {
	for (;;) {
		yield readPort(0x64, 1);
		yield relax();
	}
}

interface Operation {
	readonly before?: (vm: Vm) => Promise<void>;
	readonly run: (vm: Vm) => Promise<unknown>;
	/** Takes threads of its own, which last: some moments must do. */
	readonly isSlow?: true;
}

const stop = (vm: Vm) => vm.stop();

const operations: Readonly<Record<string, Operation>> = {
	start: {run: (vm) => vm.start()},
	pause: {before: (vm) => vm.start(), run: (vm) => vm.pause()},
	resume: {
		before: async (vm) => {
			await vm.start();
			await vm.pause();
		},
		run: (vm) => vm.resume(),
	},
	reset: {before: (vm) => vm.start(), run: (vm) => vm.reset()},
	'a snapshot': {
		before: (vm) => vm.start(),
		run: (vm) => vm.saveSnapshot(join(mkdtempSync(join(folder, 'snapshot-')), 'it')),
		isSlow: true,
	},
	'a core dump': {before: (vm) => vm.start(), run: (vm) => vm.dumpCore(join(folder, 'core')), isSlow: true},
	'an NMI': {before: (vm) => vm.start(), run: (vm) => vm.nmi()},
	'a debugger that leaves': {
		before: async (vm) => {
			vm.attachDebugger(() => {});
			await vm.start();
		},
		run: (vm) => vm.detachDebugger(),
	},
	stop: {before: (vm) => vm.start(), run: stop},
};

/** A disaster that comes between. */
type Disaster = (machine: FakeMachine) => void;
const stops: Disaster = ({vm}) => void vm.stop();

const disasters: Readonly<Record<string, Disaster>> = {
	'a stop': stops,
	'a failure of a processor’s back end'() {
		throw new Error('the back end fails');
	},
	'the death of a processor’s thread': ({workers}) => workers.vcpus[1]?.die(new Error('a vCPU is dead')),
	'the death of the devices’ thread': ({workers}) => workers.devices[0]?.die(new Error('the devices are dead')),
};

/** Moments that are tried, where an operation has as many. */
const manyMoments = Array.from({length: 12}, (_, at) => at);
const fewMoments = [0, 5];

const config = {memory: {sizeBytes: 2 ** 21}};

/** Does an operation, and lets a disaster come at one of the moments at which processors are seen to do something. */
async function meet(t: ExecutionContext, {before, run}: Operation, disaster: Disaster, at: number): Promise<boolean> {
	const machine = await fakeMachine(t, [guest, guest], {config});
	const {vm, hypervisor, workers} = machine;
	await before?.(vm);
	let [seen, isOver] = [0, false];
	hypervisor.moment = (moment) => {
		// Ending the partition is the last that there is.
		if (!isOver && moment !== 'end' && seen++ === at) disaster(machine);
	};
	const what = `moment ${at}`;
	const refused = await run(vm).then(
		() => undefined,
		(cause: unknown) => cause,
	);
	isOver = true;
	t.true(refused === undefined || refused instanceof Error, what);
	const hasCome = seen > at;
	await vm.stop();
	const {kind} = await vm.ended;
	t.is(vm.state, 'stopped', what);
	t.true(hypervisor.isClosed, `${what}: the partition has ended`);
	t.is(workers.alive, 0, `${what}: threads have ended`);
	// A disaster that still comes amid a stop may come too late to be the end's cause.
	if (run !== stop) t.is(kind === 'error', hasCome && disaster !== stops, `${what}: ${kind}`);
	return hasCome;
}

for (const [operation, how] of Object.entries(operations)) {
	for (const [name, disaster] of Object.entries(disasters)) {
		test(`${name} amid ${operation} ends the machine, at whatever moment, with nothing left`, async (t) => {
			for (const at of how.isSlow ? fewMoments : manyMoments) {
				if (await meet(t, how, disaster, at)) continue;
				t.true(at > 0, 'the operation is seen');
				break;
			}
		});
	}
}

const longOnes: Readonly<
	Record<string, (vm: Vm, path: string, asked: Parameters<Vm['dumpCore']>[1]) => Promise<void>>
> = {
	'save-snapshot': (vm, path, asked) => vm.saveSnapshot(path, asked),
	'dump-core': (vm, path, asked) => vm.dumpCore(path, asked),
};

for (const [operation, run] of Object.entries(longOnes)) {
	for (const [name, disaster] of Object.entries(disasters)) {
		// There are no back ends at work then.
		if (name.includes('back end')) continue;
		test(`${name} gives ${operation} up, and those that wait behind it; the guest does not run in between`, async (t) => {
			const machine = await fakeMachine(t, [guest, guest], {config, start: true});
			const {vm, hypervisor, workers} = machine;
			const empty = mkdtempSync(join(folder, 'given-up-'));
			let hasRun = false;
			const progress = () => {
				disaster(machine);
				hypervisor.moment = (moment) => {
					hasRun ||= moment === 'run';
				};
			};
			const [first, second] = ['first', 'second'].map((file) => run(vm, join(empty, file), {progress}));
			await t.throwsAsync(first as Promise<void>, {code: 'OPERATION_ABORTED', message: new RegExp(operation)});
			await t.throwsAsync(second as Promise<void>, {code: 'OPERATION_ABORTED'});
			t.is((await vm.ended).kind, disaster === stops ? 'stopped' : 'error');
			t.deepEqual(readdirSync(empty), []);
			t.false(hasRun);
			t.is(workers.alive, 0);
		});
	}

	test(`${operation} that whoever asked gives up leaves the machine as it was`, async (t) => {
		const {vm} = await fakeMachine(t, [guest, guest], {config, start: true});
		const empty = mkdtempSync(join(folder, 'given-up-'));
		const asked = new AbortController();
		const progress = () => asked.abort();
		const running = run(vm, join(empty, 'file'), {progress, signal: asked.signal});
		await t.throwsAsync(running, {code: 'OPERATION_ABORTED'});
		t.is(vm.state, 'running');
		await vm.pause();
		await t.throwsAsync(run(vm, join(empty, 'file'), {signal: asked.signal}), {code: 'OPERATION_ABORTED'});
		t.is(vm.state, 'paused');
		t.deepEqual(readdirSync(empty), []);
		await run(vm, join(empty, 'file'), {signal: new AbortController().signal});
		t.is(readdirSync(empty).length, 1);
	});
}

test('making a machine is given up while its memory is committed, with nothing left', async (t) => {
	const asked = new AbortController();
	let made: [FakeMachine['hypervisor'], FakeMachine['workers']] | undefined;
	const making = fakeMachine(t, [guest], {
		config: {memory: {sizeBytes: 2 ** 21, prefetch: true}},
		signal: asked.signal,
		prefetched: () => asked.abort(),
		prepare: (...parts) => {
			made = parts;
		},
	});
	await t.throwsAsync(making, {code: 'OPERATION_ABORTED'});
	t.true(made?.[0].isClosed);
	t.is(made?.[1].alive, 0);
});

test('a machine whose guest has run is made, whoever gives it up then', async (t) => {
	const asked = new AbortController();
	const told: boolean[] = [];
	const {vm} = await fakeMachine(t, [guest], {
		start: true,
		signal: asked.signal,
		created: () => told.push(asked.signal.aborted),
		prepare(hypervisor) {
			hypervisor.moment = (moment) => {
				if (moment === 'run') asked.abort();
			};
		},
	});
	t.true(asked.signal.aborted);
	t.is(vm.state, 'running');
	t.deepEqual(told, [false], 'before it ran');
});
