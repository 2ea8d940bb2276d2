import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {openSnapshot} from '#main/snapshot';
import {InProcessWorkers} from '#main/workers/testing';
import {FakeHypervisor, Gate, type Guest, type Moment, writePort} from '#vcpu-worker/hypervisor/testing';
import type {CreateOptions, HostOptions} from './create-options.ts';
import {createVm} from './create-vm.ts';
import {type FakeMachineOptions, fakeConfig, fakeMachine, openFiles} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-create-vm-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** A device that needs of the host what it does not get. */
const device = join(folder, 'device.mjs');
const structs = new URL('../../support/wire/index.ts', import.meta.url).href;
writeFileSync(
	device,
	`import {u8, wire} from ${JSON.stringify(structs)};
	export default {
		kind: 'disk',
		state: wire('disk', {status: u8}),
		attach: {regions: () => []},
		front: () => ({read: () => 0, write() {}}),
		back() { throw new Error('no such disk'); },
	};`,
);

test("a program's mistake gets the answer that a flag's gets, whatever the host has", async (t) => {
	const mistakes = {
		CONFIG_NUMBER_RANGE: vmConfig({processors: {count: 0}}),
		CONFIG_PATH_MISSING: vmConfig({boot: {kind: 'linux', kernel: '/nowhere/vmlinuz', commandLine: []}}),
		CONFIG_CONSOLE_TWICE: vmConfig({devices: serialPorts({com2: {kind: 'console', outputFd: 1}})}),
	};
	for (const [code, config] of Object.entries(mistakes)) await t.throwsAsync(createVm(config), {code});
});

interface Attempt {
	readonly config?: FakeMachineOptions['config'];
	readonly options?: Omit<FakeMachineOptions, 'config' | 'prepare'>;
	readonly prepare?: (hypervisor: FakeHypervisor, workers: InProcessWorkers) => void;
}

/** Makes a machine of two processors, which must fail so and leave nothing behind. */
async function failsWith(t: ExecutionContext, message: RegExp, {config, options, prepare}: Attempt) {
	const [hypervisor, workers] = [new FakeHypervisor([]), new InProcessWorkers()];
	prepare?.(hypervisor, workers);
	const before = openFiles();
	const host: CreateOptions & HostOptions = {...options, hypervisor, stock: workers};
	const making = createVm(fakeConfig({processors: {count: 2}, ...config}), host);
	await t.throwsAsync(making, {message});
	t.is(openFiles(), before, 'descriptors');
	t.is(workers.alive, 0, 'threads');
	const isOpen = workers.reactors.some(({isClosed}, index) => !isClosed && workers.devices[index]?.isDead === false);
	t.false(isOpen, 'reactors');
	t.deepEqual(hypervisor.leftBehind, [], 'processors');
	return {hypervisor, workers};
}

test.serial('a machine of more processors than the back end has starts no thread', async (t) => {
	const {hypervisor, workers} = await failsWith(t, /17/, {config: {processors: {count: 17}}});
	t.true(hypervisor.isClosed);
	t.deepEqual(workers.vcpus, []);
});

/** Fails the call of this moment, the second time that it comes where it comes twice. */
const failAt = (wanted: Moment, count: number) => (hypervisor: FakeHypervisor) => {
	let seen = 0;
	hypervisor.moment = (moment) => {
		if (moment === wanted && ++seen === count) throw new Error(`no ${wanted}`);
	};
};

const refusals: readonly [moment: Moment, count: number][] = [
	['map', 1],
	['open vCPU', 2],
	['attach', 1],
	['attach', 2],
	['attach', 3],
	['enter', 1],
	['enter', 2],
	['units', 1],
];

for (const [moment, count] of refusals) {
	test.serial(`nothing is left of a machine whose back end refuses: ${moment}, call ${count}`, async (t) => {
		const {hypervisor} = await failsWith(t, new RegExp(`no ${moment}`), {prepare: failAt(moment, count)});
		t.true(hypervisor.isClosed);
	});
}

test.serial('nor of one that gets no partition', async (t) => {
	const {hypervisor} = await failsWith(t, /no create/, {prepare: failAt('create', 1)});
	t.false(hypervisor.isClosed);
});

test.serial('nor of one whose kernel is none, or whose memory cannot be had', async (t) => {
	const image = join(folder, 'empty');
	writeFileSync(image, '');
	const kernel = join(folder, 'kernel');
	writeFileSync(kernel, 'no kernel');
	await failsWith(t, /kernel/i, {config: {boot: {kind: 'linux', kernel, commandLine: []}}});
	await failsWith(t, /memory|address/i, {config: {memory: {sizeBytes: 2 ** 39}}});
});

test.serial('nor of one with a device whose back cannot be made', async (t) => {
	const config = {devices: [{module: device}]};
	await failsWith(t, /no such disk/, {config});
	await failsWith(t, /no such disk/, {config, options: {start: true}});
});

test.serial('nor of one whose threads die while it is made', async (t) => {
	const dies = (wanted: 'vcpu' | 'devices') => (_hypervisor: FakeHypervisor, workers: InProcessWorkers) => {
		workers.taken = (thread, kind) => {
			if (kind === wanted) queueMicrotask(() => thread.die(new Error('out of memory')));
		};
	};
	await failsWith(t, /out of memory/, {prepare: dies('vcpu')});
	await failsWith(t, /out of memory/, {prepare: dies('devices')});
});

test.serial('nor of one whose snapshot is refused, while its devices’ thread is still coming up', async (t) => {
	const directory = join(folder, 'snapshot');
	const gate = new Gate();
	function* guest(): Guest {
		yield writePort(0x80, 1, 1);
		yield gate.pass;
	}
	const {vm} = await fakeMachine(t, [guest, guest], {start: true});
	await gate.reached;
	await vm.saveSnapshot(directory);
	await vm.stop();
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	// This machine's guest has no such place.
	const {hypervisor} = await failsWith(t, /answers/, {options: {snapshot}});
	t.true(hypervisor.isClosed);
});
