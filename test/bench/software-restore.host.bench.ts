/**
 * Measures restoring on the software processor in a process that is warm, to the first instruction that the guest goes on with (aim:
 * 20 ms), for machines of several sizes; and what each further machine of a snapshot takes (aim: 5 ms) that is made and waits. The process
 * runs idle machines already, whose devices' threads the others share, and threads for the vCPUs wait.
 */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {vmConfig} from '#main/config';
import {openSnapshot} from '#main/snapshot';
import {createVm, type Vm} from '#main/vm';
import {WorkerStock} from '#main/workers';
import {nowMs, sleep} from './guest-process.ts';
import {report} from './report.ts';

const MiB = 2 ** 20;
const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const warmUpRounds = 2;
const sizes = [256 * MiB, 1024 * MiB];
const usedBytes = 64 * MiB;
const clonesEach = 10;
const counter = 0x20_0000;
/** A thread that has been started and has nothing to do is warm after this long. */
const warmMs = 1000;
const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-restore-'));
const [image, idleImage] = [join(folder, 'guest.bin'), join(folder, 'idle.bin')];
/** INC DWORD PTR [counter]; JMP to it. */
writeFileSync(image, Uint8Array.of(0xff, 0x04, 0x25, 0, 0, counter >> 16, 0, 0xeb, 0xf7));

/** CLI; HLT. */
writeFileSync(idleImage, Uint8Array.of(0xfa, 0xf4));

const configOf = (sizeBytes: number, file = image) =>
	vmConfig({
		memory: {sizeBytes},
		boot: {kind: 'flat', image: file, address: 0x10_0000, mode: 'long'},
		devices: [],
		hypervisor: 'software',
	});
/** Declarations leave out what is internal; the command line uses it as well. */
const internal = (stock: WorkerStock) => ({stock});
const stock = new WorkerStock();

interface Saved {
	readonly directory: string;
	readonly sizeBytes: number;
	/** What the guest had counted. */
	readonly count: number;
}

const countOf = (vm: Vm): number => Number(vm.memory.readU32(counter));

async function save(sizeBytes: number): Promise<Saved> {
	const directory = join(folder, `${sizeBytes / MiB}`);
	const vm = await createVm(configOf(sizeBytes), {start: true});
	while (countOf(vm) === 0) await sleep(10);
	await vm.pause();
	vm.memory.fill(16 * MiB, usedBytes, 0x5a);
	await vm.saveSnapshot(directory);
	const count = countOf(vm);
	await vm.stop();
	return {directory, sizeBytes, count};
}

async function restoreMs({directory, sizeBytes, count}: Saved): Promise<number> {
	stock.warm(1);
	await sleep(warmMs);
	const start = nowMs();
	const snapshot = openSnapshot(directory);
	const vm = await createVm(configOf(sizeBytes), {...internal(stock), snapshot, start: true});
	while (countOf(vm) === count);
	const taken = nowMs() - start;
	await vm.stop();
	snapshot.close();
	return taken;
}

async function cloneMs({directory, sizeBytes}: Saved): Promise<number[]> {
	stock.warm(clonesEach);
	await sleep(2 * warmMs);
	const snapshot = openSnapshot(directory);
	const machines: Vm[] = [];
	const samples: number[] = [];
	for (let clone = 0; clone < clonesEach; clone++) {
		const start = nowMs();
		machines.push(await createVm(configOf(sizeBytes), {...internal(stock), snapshot}));
		samples.push(nowMs() - start);
	}
	await Promise.all(machines.map((machine) => machine.stop()));
	snapshot.close();
	return samples;
}

const idle = await Promise.all(
	Array.from({length: Math.min(4, availableParallelism())}, () =>
		createVm(configOf(64 * MiB, idleImage), {start: true}),
	),
);
try {
	const restored = [];
	const snapshots: Saved[] = [];
	for (const sizeBytes of sizes) snapshots.push(await save(sizeBytes));
	for (const saved of snapshots) {
		const samples: number[] = [];
		for (let round = -warmUpRounds; round < rounds; round++) {
			const ms = await restoreMs(saved);
			if (round >= 0) samples.push(ms);
		}
		restored.push({name: `${saved.sizeBytes / MiB} MiB`, unit: 'ms', samples});
	}
	report('Restore to the first guest instruction, software processor', restored, '256 MiB');
	const samples: number[] = [];
	const [smallest] = snapshots;
	for (let round = -1; smallest !== undefined && round < rounds; round++) {
		const each = await cloneMs(smallest);
		if (round >= 0) samples.push(...each);
	}
	report('Clones of a snapshot, software processor', [{name: 'each', unit: 'ms', samples}]);
} finally {
	await Promise.all(idle.map((vm) => vm.stop()));
	await stock.dispose();
	rmSync(folder, {recursive: true, force: true});
}
process.exit(0);
