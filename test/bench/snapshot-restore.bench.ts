/** Restoring in a process whose threads are warm, for machines of several sizes, and a hundred clones at once. */
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {openSnapshot} from '#main/snapshot';
import {createVm, type Vm} from '#main/vm';
import {WorkerStock} from '#main/workers';
import {armFirstEntry, endTracing, firstEntryMs, prepareTracing} from './kvm-trace.ts';
import {median, report} from './report.ts';

const MiB = 2 ** 20;
const sizes = [256 * MiB, 1024 * MiB, 4096 * MiB];
const usedBytes = 64 * MiB;
const rounds = 7;
const cloneCount = 100;
/** A thread that has been started and has nothing to do is warm after this long, in an emulator too. */
const warmMs = 2500;

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const devices = serialPorts({com1: {kind: 'file', path: '/dev/null'}});
const configOf = (sizeBytes: number) =>
	vmConfig({memory: {sizeBytes}, devices, boot: {kind: 'embedded', commandLine: ['loop']}});

async function save(sizeBytes: number): Promise<string> {
	const directory = join(folder, `${sizeBytes / MiB}`);
	const vm = await createVm(configOf(sizeBytes), {start: true});
	await pause(2000);
	await vm.pause();
	vm.memory.fill(16 * MiB, usedBytes, 0x5a);
	await vm.saveSnapshot(directory);
	await vm.stop();
	return directory;
}

/** Declarations leave out what is internal; the command line uses it as well. */
const internal = (stock: WorkerStock) => ({stock});

async function restoreMs(directory: string, sizeBytes: number, stock: WorkerStock): Promise<number> {
	stock.warm(1);
	await pause(warmMs);
	armFirstEntry();
	const start = nowMs();
	const snapshot = openSnapshot(directory);
	const vm = await createVm(configOf(sizeBytes), {...internal(stock), snapshot, start: true});
	await vm.stop();
	snapshot.close();
	return (firstEntryMs() ?? Number.NaN) - start;
}

const pssMiB = () => Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]) / 1024;

async function clones(directory: string, sizeBytes: number): Promise<void> {
	const snapshot = openSnapshot(directory);
	const stock = new WorkerStock();
	const machines: Vm[] = [];
	const before = pssMiB();
	const samples: number[] = [];
	for (let clone = 0; clone < cloneCount; clone++) {
		const start = nowMs();
		machines.push(await createVm(configOf(sizeBytes), {...internal(stock), snapshot}));
		samples.push(nowMs() - start);
		if (clone % 10 === 9) console.log(`  ${clone + 1} clones, ${(pssMiB() - before).toFixed(0)} MiB`);
	}
	const memory = (pssMiB() - before) / cloneCount;
	report(`${cloneCount} clones of ${sizeBytes / MiB} MiB in one process, made one after the other`, [
		{name: 'time, each', unit: 'ms', samples},
		{name: 'memory, each', unit: 'MiB', samples: [memory]},
	]);
	await Promise.all(machines.map((machine) => machine.stop()));
	snapshot.close();
}

const stock = new WorkerStock();
prepareTracing();
try {
	const figures = [];
	for (const sizeBytes of sizes) {
		const directory = await save(sizeBytes);
		const samples: number[] = [];
		for (let round = -2; round < rounds; round++) {
			const ms = await restoreMs(directory, sizeBytes, stock);
			console.log(`  ${sizeBytes / MiB} MiB, round ${round}: ${ms.toFixed(1)} ms`);
			if (round >= 0) samples.push(ms);
		}
		figures.push({name: `${sizeBytes / MiB} MiB`, unit: 'ms', samples});
	}
	report('Restore to the first guest instruction', figures, '256 MiB');
	console.log(`  medians: ${figures.map(({samples}) => median(samples).toFixed(1)).join(', ')} ms`);
	await clones(join(folder, '256'), 256 * MiB);
} finally {
	endTracing();
	await stock.dispose();
	rmSync(folder, {recursive: true, force: true});
}
process.exit(0);
