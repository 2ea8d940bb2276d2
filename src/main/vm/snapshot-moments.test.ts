import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {type GuestActions, parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {openSnapshot, verifySnapshot} from '#main/snapshot';
import {type Guest, halt, load, readPort, store, writePort} from '#vcpu-worker/hypervisor/testing';
import {type FakeMachine, fakeMachine} from './testing/index.ts';
import type {VmEnd, VmState} from './vm-end.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-moments-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const [latch, exitPort, word] = [0x500, 0xf4, 0x20_0000];
const [crash, exit, check] = [0x31, 0x32, 0x33];
const devices = [
	{kind: latchKind, options: {port: latch}},
	{kind: 'debug-exit', options: {port: exitPort}},
];
const pcie = {
	rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
	rootPorts: [parsePcieRootPort('rc0:rp0,hotplug')],
	switches: [],
	ecamBelow4Gb: false,
};
const engine = {module: join(process.cwd(), 'guide/examples/dma-engine.ts')};
/** Exit statuses of a guest that asks for its end, and of one that finds everything as its script has it. */
const [asked, isRight] = [0x11, 0x21];

/**
 * Interrupts have the guest count in memory and in a device, crash, ask for its machine's end, or compare: memory, device and the
 * place in the script are of one moment.
 */
function* guest(): Guest {
	for (let count = 1; ; count++) {
		yield store(word, 4, count);
		yield writePort(latch, 4, count);
		const vector = yield halt();
		if (vector === crash) yield {exit: 'shutdown'};
		if (vector === exit) yield writePort(exitPort, 1, asked >> 1);
		if (vector !== check) continue;
		const isSame = (yield load(word, 4)) === count && (yield readPort(latch, 4)) === count;
		yield writePort(exitPort, 1, isSame ? isRight >> 1 : 1);
	}
}

const moments = ['its memory is copied', 'it stands still for it'] as const;
type Moment = (typeof moments)[number];

/** An operation that comes between, and the machine's state then. */
interface Disturbance {
	readonly act: (machine: FakeMachine) => unknown;
	readonly state?: VmState;
	readonly end?: Partial<VmEnd>;
	readonly onCrash?: GuestActions['crash'];
	/** Set where more than one makes a difference. */
	readonly at?: readonly Moment[];
}

const delivers = (vector: number) => (machine: FakeMachine) => machine.hypervisor.vcpus[0]?.deliver(vector);

const disturbances: Readonly<Record<string, Disturbance>> = {
	'a reset': {act: ({vm}) => vm.reset(), at: moments},
	'a device that comes': {act: ({vm}) => vm.addPcieDevice('rp0', engine)},
	'a crash that ends it': {act: delivers(crash), end: {kind: 'crash'}},
	'a crash that starts the guest again': {act: delivers(crash), onCrash: 'reset'},
	'a crash that halts it': {act: delivers(crash), onCrash: 'halt', state: 'halted'},
	'an end that the guest asks for': {act: delivers(exit), end: {kind: 'exit', status: asked}},
};

for (const [name, {act, onCrash, state = 'running', end, at = [moments[0]]}] of Object.entries(disturbances)) {
	for (const moment of at) {
		test(`${name} while a machine is saved, when ${moment}, leaves a whole snapshot or none, and the machine as it shall be`, async (t) => {
			const guestActions = onCrash && {crash: onCrash};
			const machine = await fakeMachine(t, [guest], {
				config: {devices, pcie, ...(guestActions && {guestActions})},
				start: true,
			});
			const {vm, hypervisor} = machine;
			const place = mkdtempSync(join(folder, 'place-'));
			let acting: Promise<unknown> | undefined;
			const disturb = (now: Moment) => {
				if (now === moment) acting ??= Promise.resolve(act(machine));
			};
			hypervisor.moment = (seen) => {
				if (seen === 'save') disturb('it stands still for it');
			};
			const directory = join(place, 'snapshot');
			const progress = () => disturb('its memory is copied');
			const [saved] = await Promise.allSettled([vm.saveSnapshot(directory, {progress})]);
			t.truthy(acting, 'it has come');
			await acting;
			if (end === undefined) t.is(vm.state, state);
			else t.like(await vm.ended, end);
			t.is(hypervisor.dirty.watchers, 0);
			if (saved.status === 'fulfilled') return goesOn(t, directory);
			t.like(saved.reason, {code: 'OPERATION_ABORTED'});
			t.not(end, undefined);
			t.deepEqual(readdirSync(place), []);
		});
	}
}

/** A guest goes on in the snapshot, with whatever devices it was saved with. */
async function goesOn(t: ExecutionContext, directory: string) {
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	await verifySnapshot(snapshot);
	const hasEngine = 'dma-engine' in (snapshot.manifest.machine['devices'] as object);
	const restored = hasEngine ? [...devices, {...engine, port: 'rp0'}] : devices;
	const machine = await fakeMachine(t, [guest], {config: {devices: restored, pcie}, snapshot, start: true});
	delivers(check)(machine);
	t.deepEqual(await machine.vm.ended, {kind: 'exit', status: isRight});
}

test('what a guest has asked for when it was paused, it has asked for where it is restored, and not after a reset', async (t) => {
	const {vm, hypervisor} = await fakeMachine(t, [guest], {config: {devices}, start: true});
	let paused: Promise<void> | undefined;
	hypervisor.moment = (moment) => {
		if (moment === 'serve') paused ??= vm.pause();
	};
	hypervisor.vcpus[0]?.deliver(exit);
	while (paused === undefined) await new Promise((resolve) => setImmediate(resolve));
	await paused;
	t.is(vm.state, 'paused');
	const directory = join(folder, 'asked');
	await vm.saveSnapshot(directory);
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	const restored = await fakeMachine(t, [guest], {config: {devices}, snapshot, start: true});
	t.deepEqual(await restored.vm.ended, {kind: 'exit', status: asked});
	const other = await fakeMachine(t, [guest], {config: {devices}, snapshot});
	await other.vm.reset();
	await other.vm.start();
	delivers(check)(other);
	t.deepEqual(await other.vm.ended, {kind: 'exit', status: isRight});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'exit', status: asked});
});
