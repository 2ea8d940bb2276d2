import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {openSnapshot} from '#main/snapshot';
import {
	type FakeHypervisor,
	firstVector,
	Gate,
	type Guest,
	type GuestScript,
	halt,
	load,
	readPort,
	relax,
	store,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import {entry, type FakeMachineOptions, fakeMachine} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-vm-snapshot-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const port = 0x500;
const config = {
	devices: [
		{kind: latchKind, options: {port}},
		{kind: 'debug-exit', options: {port: 0xf4}},
	],
};
const [flag, sum] = [0x20_0000, 0x20_0004];

/** A guest of two processors that waits amid its work at `gate`, and then ends with what it has seen. */
const work = (gate: Gate): GuestScript[] => [
	function* (): Guest {
		yield writePort(port, 4, 1000);
		yield store(flag, 4, 1);
		const before = yield readPort(port, 4);
		yield gate.pass;
		const vector = yield halt();
		yield store(sum, 4, before + (yield readPort(port, 4)) + vector);
		yield store(flag, 4, 2);
	},
	function* (): Guest {
		let turns = 0;
		while ((yield load(flag, 4)) !== 2) {
			turns++;
			yield relax();
		}
		// What both have seen, and that this one's loop went on where it was.
		yield writePort(0xf4, 1, turns > 0 && (yield load(sum, 4)) === 2000 + firstVector + 9 ? 0x10 : 0x20);
	},
];

/** A snapshot of such a guest at its gate, with an interrupt that it has not taken yet. */
async function saved(t: ExecutionContext, name: string, prepare: FakeMachineOptions['prepare'] = () => {}) {
	const gate = new Gate();
	const machine = await fakeMachine(t, work(gate), {config, start: true, prepare});
	await gate.reached;
	machine.hypervisor.vcpus[0]?.deliver(firstVector + 9);
	const directory = join(folder, name);
	await machine.vm.saveSnapshot(directory);
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	return {...machine, gate, snapshot};
}

const openGate = () => {
	const gate = new Gate();
	gate.open();
	return gate;
};

test('a saved guest goes on where it was, with its processors, memory, devices and interrupts, as often as one likes', async (t) => {
	const {vm, gate, snapshot} = await saved(t, 'goes-on');
	t.like(snapshot.manifest.hypervisor, {kind: 'fake', units: ['fake-clock']});
	for (let round = 0; round < 2; round++) {
		const restored = await fakeMachine(t, work(openGate()), {config, snapshot});
		t.is(restored.vm.state, 'created');
		t.is((await restored.vm.readRegisters(0)).general.rip, BigInt(entry) + 3n);
		await restored.vm.start();
		t.deepEqual(await restored.vm.ended, {kind: 'exit', status: 0x21});
	}
	gate.open();
	t.deepEqual(await vm.ended, {kind: 'exit', status: 0x21}, 'so does the one that was saved');
});

test('time-stamp counters go on from the snapshot, however long the new host has been up, and together', async (t) => {
	const [hour, minute] = [3600e9, 60e9];
	const hostUpFor = (ns: number) => (hypervisor: FakeHypervisor) => {
		hypervisor.nowNs = ns;
	};
	const {snapshot} = await saved(t, 'counters', hostUpFor(hour));
	const prepare = hostUpFor(9 * hour);
	const restored = await fakeMachine(t, work(new Gate()), {config, snapshot, clock: 'continue', prepare});
	await restored.vm.start();
	const [first, second] = restored.hypervisor.vcpus.map((vcpu) => Number(vcpu.readCounter().value));
	t.is(second, first);
	t.true(first !== undefined && first >= hour && first < hour + minute, `${first}`);
});

test('a restored machine that is reset begins at power-on', async (t) => {
	const {snapshot} = await saved(t, 'reset');
	const gate = new Gate();
	const restored = await fakeMachine(t, work(gate), {config, snapshot});
	t.is(restored.hypervisor.vcpus[0]?.steps, 3);
	await restored.vm.reset();
	t.is(restored.hypervisor.vcpus[0]?.steps, 0);
	await restored.vm.start();
	await gate.reached;
	t.is(restored.vm.state, 'running');
});

test('a snapshot that needs more than there is is refused with all that is missing', async (t) => {
	const {snapshot} = await saved(t, 'needs');
	const needs = {vendor: '', features: new Map([['CPUID.7.0:EBX', 1 << 16]]), xsave: new Map(), addressBits: 52};
	const manifest = {...snapshot.manifest, hypervisor: {kind: 'kvm', units: ['kvmclock'], needs}};
	const error = await t.throwsAsync(fakeMachine(t, work(new Gate()), {config, snapshot: {...snapshot, manifest}}), {
		code: 'SNAPSHOT_HYPERVISOR_LACKS',
	});
	t.regex(
		error?.message ?? '',
		/ran on kvm .* fake .*CPUID\.7\.0:EBX\[16\], physical addresses of 52 bits, the state of kvmclock/,
	);
});
