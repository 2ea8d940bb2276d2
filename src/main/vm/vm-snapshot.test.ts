import {lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {openSnapshot, verifySnapshot} from '#main/snapshot';
import {unchecked} from '#support/trust';
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
		// The sum tells what both have seen, and the turns that this one's loop went on where it was.
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
	// Each turn of the second guest's loop is a value of its script's state.
	await machine.vm.pause();
	await machine.vm.saveSnapshot(directory);
	await machine.vm.start();
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

/** Counts the files of snapshots in memory that this process has open. */
const filesInMemory = (): number =>
	readdirSync('/proc/self/fd').filter((fd) => {
		// The descriptor of the folder that is read has gone.
		const path = `/proc/self/fd/${fd}`;
		return lstatSync(path, {throwIfNoEntry: false}) !== undefined && readlinkSync(path).includes('openvmm-snapshot');
	}).length;

test.serial(
	'a snapshot in memory starts machines as one in a folder does, and goes when they and it are gone',
	async (t) => {
		const gate = new Gate();
		const {vm, hypervisor} = await fakeMachine(t, work(gate), {config, start: true});
		await gate.reached;
		hypervisor.vcpus[0]?.deliver(firstVector + 9);
		await vm.pause();
		const snapshot = await vm.snapshotInMemory();
		t.teardown(() => snapshot.close());
		await verifySnapshot(snapshot);
		await vm.start();
		const machines = await Promise.all(
			[0, 1].map(() => fakeMachine(t, work(openGate()), {config, snapshot, clock: 'continue'})),
		);
		snapshot.close();
		for (const fork of machines) {
			await fork.vm.start();
			t.deepEqual(await fork.vm.ended, {kind: 'exit', status: 0x21});
		}
		gate.open();
		t.deepEqual(await vm.ended, {kind: 'exit', status: 0x21}, 'so does the one that was forked');
		t.is(filesInMemory(), 0);
	},
);

test.serial('a snapshot in memory that is given up, or of a machine that has ended, leaves nothing', async (t) => {
	const gate = new Gate();
	const {vm} = await fakeMachine(t, work(gate), {config, start: true});
	await gate.reached;
	const asked = new AbortController();
	await t.throwsAsync(vm.snapshotInMemory({signal: asked.signal, progress: () => asked.abort()}), {
		code: 'OPERATION_ABORTED',
	});
	t.is(filesInMemory(), 0);
	t.is(vm.state, 'running');
	await vm.stop();
	await t.throwsAsync(vm.snapshotInMemory(), {code: 'VM_STOPPED'});
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

test('no snapshot is made of a machine whose memory file has been cut, and what was there stays', async (t) => {
	const file = join(folder, 'ram');
	const memory = {sizeBytes: 64 * 2 ** 20, file};
	const gate = new Gate();
	const {vm} = await fakeMachine(t, work(gate), {config: {...config, memory}, start: true});
	await gate.reached;
	await vm.pause();
	const directory = join(folder, 'of-cut-memory');
	await vm.saveSnapshot(directory);
	const before = readFileSync(join(directory, 'manifest.json'), 'utf8');
	truncateSync(file, 0);
	const error = await t.throwsAsync(vm.saveSnapshot(directory), {code: 'MEMORY_LOST'});
	t.regex(error?.message ?? '', /^Guest memory at 0x0 is gone, .*: the file has been cut to 0 bytes$/);
	t.is(readFileSync(join(directory, 'manifest.json'), 'utf8'), before);
	const end = await vm.ended;
	t.is(end.kind === 'error' && end.error.code, 'MEMORY_LOST', 'it does not go on over zeros');
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
		/ran on kvm .* fake .*CPUID\.7\.0:EBX\[16\] \(avx512f\), physical addresses of 52 bits, the state of kvmclock/,
	);
});

test('a guest that runs is saved as it was when it came to rest, whatever was written while its memory was copied', async (t) => {
	const MiB = 2 ** 20;
	const [word, pieceBytes] = [0x20_0000, 64 * MiB];
	const late = [0, 1, 2, 3].map((piece) => piece * pieceBytes + 48 * MiB);
	const [again, last] = [new Gate(), new Gate()];
	const scripts = [
		function* (): Guest {
			yield store(word, 4, 1);
			yield again.pass;
			yield store(word, 4, 2);
			yield last.pass;
		},
	];
	const large = {...config, memory: {sizeBytes: 256 * MiB}};
	const {vm} = await fakeMachine(t, scripts, {config: large, start: true});
	await again.reached;
	const directory = join(folder, 'running');
	await vm.saveSnapshot(directory, {
		progress(done, total) {
			t.is(vm.state, 'running');
			if (done < total) return;
			again.open();
			for (const gpa of late) vm.memory.writeU32(gpa, 77);
		},
	});
	t.is(vm.state, 'running');
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	await verifySnapshot(snapshot);
	const {vm: restored, hypervisor} = await fakeMachine(t, scripts, {config: large, snapshot});
	const read = (gpa: number) => unchecked(restored.memory.readU32(gpa));
	t.deepEqual(late.map(read), [77, 77, 77, 77]);
	// It may have come to rest before its second store, or behind it.
	t.is(read(word), (hypervisor.vcpus[0]?.steps ?? 0) > 2 ? 2 : 1);
});

function* waiting(): Guest {
	yield new Gate().pass;
}

test('other operations have their turn while memory is copied, a place is one save`s at a time, and the end gives it up', async (t) => {
	const {vm} = await fakeMachine(t, [waiting], {config, start: true});
	const directory = join(folder, 'meanwhile');
	let paused: Promise<void> | undefined;
	await vm.saveSnapshot(directory, {
		progress() {
			paused ??= vm.pause();
		},
	});
	await paused;
	t.is(vm.state, 'paused');
	await vm.start();
	const saves = [vm.saveSnapshot(directory), vm.saveSnapshot(directory)];
	t.deepEqual(
		(await Promise.allSettled(saves)).map((save) => (save.status === 'rejected' ? save.reason.code : 'saved')),
		['saved', 'SNAPSHOT_TARGET_TAKEN'],
	);
	const stopped: Promise<void>[] = [];
	const givenUp = vm.saveSnapshot(join(folder, 'given-up'), {progress: () => void stopped.push(vm.stop())});
	await t.throwsAsync(givenUp, {code: 'OPERATION_ABORTED'});
	await Promise.all(stopped);
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.false(readdirSync(folder).some((name) => name.includes('given-up')));
});
