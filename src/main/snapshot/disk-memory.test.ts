import {mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {SavedMemory} from '#devices/device';
import {vmConfig} from '#main/config';
import {allocateRam} from '#main/memory';
import {allocateSharedPages} from '#support/shared-memory';
import {hostCpu} from '#vcpu-worker/cpuid';
import {type DeviceWithDisks, DiskMemory} from './disk-memory.ts';
import {openSnapshot} from './open-snapshot.ts';
import {saveSnapshot} from './save-snapshot.ts';
import {restingMachine} from './testing/index.ts';
import {verifySnapshot} from './verify-snapshot.ts';

const MiB = 2 ** 20;
const needs = {vendor: 'AuthenticAMD', features: new Map(), xsave: new Map(), addressBits: 40};
const machine = {
	shape: {
		processors: 1,
		memoryBytes: 2 * MiB,
		topology: {smt: 'auto', x2apic: 'auto', apicIdOffset: 0},
		irqchip: 'split',
		devices: {},
	},
	hypervisor: {kind: 'fake', units: [], needs},
	boot: {kind: 'none'} as const,
	cpu: hostCpu,
	units: {},
};

const part = (name: string, offset: number, length: number, mayBeNew = false): SavedMemory => ({
	name,
	offset,
	length,
	mayBeNew,
});

/** A device whose disks have these parts of its memory. */
function device(name: string, ...parts: readonly SavedMemory[]): DeviceWithDisks & {readonly bytes: Uint8Array} {
	const hostMemory = allocateSharedPages(32 * MiB);
	return {
		model: {savedMemory: () => parts},
		placed: {name, config: {}, hostMemory},
		bytes: new Uint8Array(hostMemory),
	};
}

function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-disk-memory-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

async function save(t: ExecutionContext, directory: string, memory: DiskMemory, devices: readonly DeviceWithDisks[]) {
	const config = vmConfig({memory: {sizeBytes: 2 * MiB}});
	const ram = allocateRam([{memory: config.memory, ranges: [{gpa: 0, length: 2 * MiB}]}]);
	t.teardown(() => ram.dispose());
	await saveSnapshot(directory, restingMachine({...machine, ram, disks: memory.of(devices)}));
}

function restored(t: ExecutionContext, directory: string, ...devices: readonly DeviceWithDisks[]): DiskMemory {
	const snapshot = openSnapshot(directory);
	const memory = new DiskMemory();
	t.teardown(() => memory[Symbol.dispose]());
	try {
		memory.restore(snapshot, devices);
	} finally {
		snapshot.close();
	}
	return memory;
}

const nvme = () =>
	device('nvme', part('namespace-1/mem', 4096, 3 * MiB + 4096), part('namespace-2/memdiff', 8 * MiB, 8 * MiB, true));
const blk = () => device('blk', part('disk/mem', 0, MiB));

test('what disks have in memory comes back to each, sparse, and machines of one snapshot change it apart', async (t) => {
	const folder = folderOf(t);
	const [first, second] = [join(folder, 'first'), join(folder, 'second')];
	const devices = [nvme(), device('none'), blk()] as const;
	const [one, , two] = devices;
	one.bytes.fill(1, 0, 8192);
	one.bytes[3 * MiB + 8191] = 2;
	one.bytes[8 * MiB] = 3;
	one.bytes[16 * MiB - 1] = 4;
	two.bytes[5] = 5;
	await save(t, first, new DiskMemory(), devices);
	const file = join(first, 'disks.bin');
	t.is(statSync(file).size, 12 * MiB + 4096);
	t.true(statSync(file).blocks * 512 <= 64 * 1024);
	const before = readFileSync(file);

	const clones = [0, 1].map(() => [blk(), nvme()] as const);
	const memories = clones.map((each) => restored(t, first, ...each));
	for (const [ownBlk, ownNvme] of clones) {
		t.deepEqual([ownNvme.bytes[0], ownNvme.bytes[4096], ownNvme.bytes[8191]], [0, 1, 1], 'and nothing beside it');
		t.deepEqual(
			[3 * MiB + 8191, 8 * MiB, 16 * MiB - 1].map((at) => ownNvme.bytes[at]),
			[2, 3, 4],
		);
		t.is(ownBlk.bytes[5], 5);
	}
	const [[ownBlk, ownNvme], [otherBlk]] = clones as [(typeof clones)[0], (typeof clones)[0]];
	ownBlk.bytes[5] = 55;
	ownNvme.bytes[9 * MiB] = 99;
	t.is(otherBlk.bytes[5], 5);
	await save(t, second, memories[0] as DiskMemory, [ownNvme, ownBlk]);
	const next = [nvme(), blk()] as const;
	restored(t, second, ...next);
	t.deepEqual(
		[4096, 8 * MiB, 9 * MiB].map((at) => next[0].bytes[at]),
		[1, 3, 99],
		'what was not changed is saved again',
	);
	t.is(next[1].bytes[5], 55);
	t.true(readFileSync(file).equals(before));
	const [third, untouched] = [join(folder, 'third'), [nvme(), blk()] as const];
	await save(t, third, restored(t, first, ...untouched), untouched);
	t.true(readFileSync(join(third, 'disks.bin')).equals(before), 'nor has anybody touched any of it');
	memories[0]?.[Symbol.dispose]();
	t.is(ownBlk.bytes[5], 0, 'the file is under it no more');
});

test('a machine whose disks have not the memory that a snapshot has is refused by their names; what may be new is', async (t) => {
	const directory = join(folderOf(t), 'saved');
	await save(t, directory, new DiskMemory(), [nvme()]);
	const differs = (message: RegExp, ...devices: readonly DeviceWithDisks[]) =>
		t.throws(() => restored(t, directory, ...devices), {code: 'SNAPSHOT_DISK_DIFFERS', message});
	const mem = part('namespace-1/mem', 0, 4 * MiB);
	differs(/nvme has in memory as namespace-1\/mem, and the machine has no such disk/);
	differs(/namespace-2\/memdiff, and the machine has no such disk/, device('nvme', mem));
	const small = part('namespace-2/memdiff', 8 * MiB, 8 * MiB - 4096, true);
	differs(/a part of 8388608 bytes.*namespace-2\/memdiff.*room for 8384512/, device('nvme', mem, small));
	differs(/has nothing of what blk has in memory as disk\/mem/, nvme(), blk());
	const large = part('namespace-2/memdiff', 8 * MiB, 16 * MiB, true);
	t.notThrows(() =>
		restored(t, directory, device('nvme', mem, large), device('blk', part('disk/memdiff', 0, MiB, true))),
	);
	for (const wrong of [part('x', 100, 4096), part('x', 32 * MiB, 4096), part('x', -4096, 4096)])
		t.throws(() => new DiskMemory().of([device('it', wrong)]), {instanceOf: RangeError});
});

test('a file of disks’ memory that is damaged is found, and one that does not fit is refused', async (t) => {
	const directory = join(folderOf(t), 'saved');
	const devices = [nvme(), blk()] as const;
	devices[0].bytes[9 * MiB] = 1;
	devices[1].bytes[7] = 1;
	await save(t, directory, new DiskMemory(), devices);
	const file = join(directory, 'disks.bin');
	const whole = readFileSync(file);
	const verify = async () => {
		const snapshot = openSnapshot(directory);
		try {
			await verifySnapshot(snapshot);
		} finally {
			snapshot.close();
		}
	};
	await t.notThrowsAsync(verify());
	for (const at of [3 * MiB + 4095, 3 * MiB + 4096]) {
		const damaged = Buffer.from(whole);
		damaged[at] = 0xee;
		writeFileSync(file, damaged);
		await t.throwsAsync(verify(), {code: 'SNAPSHOT_DAMAGED', message: /disks\.bin does not match/}, `${at}`);
	}
	writeFileSync(file, whole);
	truncateSync(file, whole.length - 4096);
	t.throws(() => openSnapshot(directory), {code: 'SNAPSHOT_DAMAGED', message: /disks\.bin has/});
});
