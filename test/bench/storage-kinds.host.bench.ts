/**
 * What disks are asked for beside reads of 4 KiB by one queue (`storage.host.bench.ts`): several queues, writes, long requests, writes that are durable, direct
 * I/O, and how the times of single requests lie. By virtio-blk on a device worker that sleeps where it has nothing to do, and on this thread, where nobody waits
 * for another; beside a loop of preadv2(2) or pwritev2(2) and io_uring alone. Needs no KVM, and two processors that are free.
 */
import {closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {isMainThread, workerData} from 'node:worker_threads';
import {completeModel} from '#devices/pci/function';
import {diskOption} from '#devices/storage/source';
import {virtioBlkMmio} from '#devices/virtio/blk';
import {VirtioMachine} from '#devices/virtio/testing';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {type DiskJob, placesInOrder, randomPlaces} from './disk-job.ts';
import {callLoop, startEngine} from './host-io.ts';
import {report} from './report.ts';
import {driverRamBytes, RingDriver} from './ring-driver.ts';

const firstRounds = 10;
const rounds = firstRounds + Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 60);
/** A busy host has fewer rounds. */
const mostMs = 2000;
const fileBytes = 256 * 2 ** 20;
const [KiB4, MiB] = [4096, 2 ** 20];
const model = completeModel(virtioBlkMmio);
const findModel = () => model;

interface Kind {
	readonly title: string;
	readonly job: DiskJob;
	readonly requests: number;
	/** In each queue. */
	readonly depths: readonly number[];
	readonly queues?: number;
	readonly isDirect?: boolean;
}

const randomly = randomPlaces(fileBytes, KiB4);
const read: DiskJob = {kind: 'read', bytes: KiB4, next: randomly};
const write: DiskJob = {kind: 'write', bytes: KiB4, next: randomly};
const kinds: readonly Kind[] = [
	{title: '4 KiB read by 4 queues', job: read, requests: 640, depths: [1, 32], queues: 4},
	{
		title: '1 MiB read in order',
		job: {kind: 'read', bytes: MiB, next: placesInOrder(fileBytes, MiB)},
		requests: 32,
		depths: [1, 2],
	},
	{title: '4 KiB read, direct', job: read, requests: 128, depths: [1, 32], isDirect: true},
	{title: '4 KiB written', job: write, requests: 320, depths: [1, 32]},
	{title: '4 KiB written by 4 queues', job: write, requests: 640, depths: [1, 32], queues: 4},
	{title: '4 KiB written durably', job: {...write, isDurable: true}, requests: 8, depths: [1]},
	{
		title: '1 MiB written in order',
		job: {kind: 'write', bytes: MiB, next: placesInOrder(fileBytes, MiB)},
		requests: 32,
		depths: [1, 2],
	},
	{title: '4 KiB written, direct', job: write, requests: 128, depths: [1, 32], isDirect: true},
];

const now = () => performance.now() * 1000;
const noWait = () => {};

const configOf = (path: string, {job, queues = 1, isDirect}: Kind) => {
	const disk = diskOption.parse(`file:${path};engine=io_uring${isDirect ? ';direct' : ''}`, 'disk');
	return {disk, queues, workers: 1, readOnly: job.kind === 'read', packed: false, id: ''};
};

async function startDevice(path: string, kind: Kind) {
	const thread = new URL(import.meta.url);
	const machine = await startMachine(model.kind, configOf(path, kind), findModel, {pollNs: 0, thread});
	return {driver: new RingDriver(machine, kind.job, kind.queues), end: machine.end};
}

/** On this thread. */
async function startHere(path: string, kind: Kind) {
	const ram = [{gpa: 0, length: driverRamBytes}];
	const machine = await VirtioMachine.opened(model as never, 'mmio', configOf(path, kind), ram);
	const driver = new RingDriver(machine, kind.job, kind.queues);
	return {
		run: (requests: number, depth: number) => driver.run(requests, depth, () => machine.turn(0)),
		async end() {
			await machine.stop();
			await machine.dispose();
		},
	};
}

async function measure(path: string, kind: Kind): Promise<void> {
	const {title, job, requests, depths, queues = 1, isDirect} = kind;
	const flags = (job.kind === 'read' ? constants.O_RDONLY : constants.O_RDWR) | (isDirect ? constants.O_DIRECT : 0);
	const fd = openSync(path, flags);
	const engine = startEngine(fd, 'io_uring', job, queues * Math.max(...depths));
	const loop = callLoop(fd, job);
	const samples = new Map<string, number[]>();
	const sample = async (name: string, run: (depth: number) => void | Promise<void>) => {
		for (const depth of depths) {
			const begin = now();
			for (let round = 0; round < rounds && (now() - begin < mostMs * 1000 || round < 2 * firstRounds); round++) {
				const since = now();
				await run(depth);
				const key = `${depth} ${name}`;
				if (round >= firstRounds) samples.set(key, [...(samples.get(key) ?? []), (now() - since) / requests]);
			}
		}
	};
	await sample('a call each', () => loop(requests));
	await sample('io_uring alone', (depth) => engine.run(requests, queues * depth));
	await engine.end();
	closeSync(fd);
	// A writer has its file alone.
	const here = await startHere(path, kind);
	await sample('virtio-blk, on this thread', (depth) => here.run(requests, depth));
	await here.end();
	const device = await startDevice(path, kind);
	await sample('virtio-blk, on a worker', (depth) => device.driver.run(requests, depth, noWait));
	await device.end();
	for (const depth of depths) {
		const names = [...samples.keys()].filter((key) => key.startsWith(`${depth} `));
		const figures = names.map((key) => ({
			name: key.slice(`${depth} `.length),
			unit: 'µs',
			samples: samples.get(key) ?? [],
		}));
		report(`${title}, depth ${depth}, for each request`, figures, 'io_uring alone');
	}
}

/** Where so many of all times are below. */
const quantile = (sorted: readonly number[], share: number): number =>
	sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** How the times of single requests lie. */
async function latencies(path: string): Promise<void> {
	const fd = openSync(path, 'r');
	const loop = callLoop(fd, read);
	const device = await startDevice(path, {title: '', job: read, requests: 0, depths: []});
	const many = 10_000;
	for (const depth of [1, 32]) {
		const times: Record<string, number[]> = {'a call each': [], 'virtio-blk, on a worker': []};
		device.driver.run(many, depth, noWait);
		for (let round = 0; round < 5; round++) {
			loop(many / 5, times['a call each']);
			device.driver.run(many / 5, depth, noWait, times['virtio-blk, on a worker']);
		}
		const figures = Object.entries(times).flatMap(([name, each]) => {
			const sorted = each.toSorted((a, b) => a - b);
			return [0.5, 0.99, 0.999].map((share) => {
				return {name: `${name}, ${100 * share} % below`, unit: 'µs', samples: [quantile(sorted, share)]};
			});
		});
		report(`4 KiB read, depth ${depth}, of ${many} single requests`, figures);
	}
	await device.end();
	closeSync(fd);
}

if (isMainThread) {
	// Not in a tmpfs, which has no direct I/O of its own.
	const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-storage-'));
	try {
		const content = Buffer.alloc(fileBytes, 1);
		/** Threads that are ended have their file, and its lock, until the process ends. */
		const newFile = (name: string): string => {
			const path = join(folder, name);
			writeFileSync(path, content, {flush: true});
			return path;
		};
		await latencies(newFile('latencies'));
		for (const [index, kind] of kinds.entries()) await measure(newFile(`${index}`), kind);
	} finally {
		rmSync(folder, {recursive: true});
	}
} else {
	await work(workerData as WorkerShare, findModel);
}
