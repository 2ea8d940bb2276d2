/**
 * What disks are asked for beside reads of 4 KiB by one queue (`storage.host.bench.ts`): several queues, writes, long requests, writes that are durable, writes with
 * a flush behind each, direct I/O, and how the times of single requests lie. By virtio-blk on a device worker that sleeps where it has nothing to do, also with a driver that does, on one that polls,
 * on two where there are queues for them, and on this thread, where nobody waits for another; beside a loop of preadv2(2) or pwritev2(2) and io_uring alone, all of them in turn.
 * Needs no KVM, and two processors that are free.
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
const mostMs = 10_000;
/** Of each writer, as it has its file alone. */
const fileBytes = 128 * 2 ** 20;
const polling = 200_000;
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
	{title: '4 KiB written and flushed', job: {...write, isFlushed: true}, requests: 8, depths: [1, 8]},
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

const configOf = (path: string, {job, queues = 1, isDirect}: Kind, workers = 1) => {
	const disk = diskOption.parse(`file:${path};engine=io_uring${isDirect ? ';direct' : ''}`, 'disk');
	return {disk, queues, workers, readOnly: job.kind === 'read', packed: false, id: ''};
};

async function startDevice(path: string, kind: Kind, {pollNs = 0, workers = 1} = {}) {
	const thread = new URL(import.meta.url);
	const machine = await startMachine(model.kind, configOf(path, kind, workers), findModel, {workers, pollNs, thread});
	return {driver: new RingDriver(machine, kind.job, kind.queues), sleep: machine.sleep, end: machine.end};
}

/** Something that does so many requests of a kind. */
interface Subject {
	/** @returns the microseconds that it took */
	run(requests: number, depth: number): number | Promise<number>;
	end(): Promise<void>;
}

function timed(action: () => void): number {
	const since = now();
	action();
	return now() - since;
}

/** Its reactor has this thread, on which others are to begin: it is there for each turn alone. */
async function runEngine(fd: number, {job, queues = 1}: Kind, requests: number, depth: number): Promise<number> {
	const engine = startEngine(fd, 'io_uring', job, queues * depth);
	// The first of them open what is not open yet.
	await engine.run(queues * depth, queues * depth);
	const since = now();
	await engine.run(requests, queues * depth);
	const took = now() - since;
	await engine.end();
	return took;
}

/**
 * By a device's worker or several, on threads of their own.
 * @param isSpinning - so is the driver, which otherwise sleeps until the device interrupts
 */
async function startWorkers(
	path: string,
	kind: Kind,
	choice: Parameters<typeof startDevice>[2],
	isSpinning = true,
): Promise<Subject> {
	const {driver, sleep, end} = await startDevice(path, kind, choice);
	return {run: (requests, depth) => timed(() => driver.run(requests, depth, isSpinning ? noWait : sleep)), end};
}

/** On this thread. */
async function startHere(path: string, kind: Kind): Promise<Subject> {
	const ram = [{gpa: 0, length: driverRamBytes}];
	const machine = await VirtioMachine.opened(model as never, 'mmio', configOf(path, kind), ram);
	const driver = new RingDriver(machine, kind.job, kind.queues);
	return {
		run: (requests, depth) => timed(() => driver.run(requests, depth, () => machine.turn(0))),
		async end() {
			await machine.stop();
			await machine.dispose();
		},
	};
}

async function measure(newFile: () => string, kind: Kind): Promise<void> {
	const {title, job, requests, depths, queues = 1, isDirect} = kind;
	const flags = (job.kind === 'read' ? constants.O_RDONLY : constants.O_RDWR) | (isDirect ? constants.O_DIRECT : 0);
	const first = newFile();
	// Who writes has a file for itself.
	const own = () => (job.kind === 'read' ? first : newFile());
	const fd = openSync(own(), flags);
	const loop = callLoop(fd, job);
	const subjects: Readonly<Record<string, Subject>> = {
		'a call each': {run: (count) => timed(() => loop(count)), end: async () => {}},
		'io_uring alone': {run: (count, depth) => runEngine(fd, kind, count, depth), end: async () => {}},
		'virtio-blk, on this thread': await startHere(own(), kind),
		'virtio-blk, on a worker': await startWorkers(own(), kind, {}),
		'virtio-blk, on a worker, by interrupts': await startWorkers(own(), kind, {}, false),
		'virtio-blk, on a worker that polls': await startWorkers(own(), kind, {pollNs: polling}),
		...(queues > 1 && {'virtio-blk, on two workers': await startWorkers(own(), kind, {workers: 2})}),
	};
	for (const depth of depths) {
		const samples = new Map<string, number[]>(Object.keys(subjects).map((name) => [name, []]));
		const begin = now();
		for (let round = 0; round < rounds && (now() - begin < mostMs * 1000 || round < firstRounds + 1); round++)
			for (const [name, subject] of Object.entries(subjects)) {
				const took = await subject.run(requests, depth);
				if (round >= firstRounds) samples.get(name)?.push(took / requests);
			}
		const figures = [...samples].map(([name, each]) => ({name, unit: 'µs', samples: each}));
		report(`${title}, depth ${depth}, for each request`, figures, 'io_uring alone');
	}
	for (const subject of Object.values(subjects)) await subject.end();
	closeSync(fd);
}

/** Where so many of all times are below. */
const quantile = (sorted: readonly number[], share: number): number =>
	sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** What single requests are timed of, how many of them, at which depths. */
const timedKinds: readonly Kind[] = [
	{title: '4 KiB read', job: read, requests: 10_000, depths: [1, 32]},
	{title: '4 KiB written', job: write, requests: 10_000, depths: [1, 32]},
	{title: '4 KiB written durably', job: {...write, isDurable: true}, requests: 1000, depths: [1, 32]},
	{title: '4 KiB written and flushed', job: {...write, isFlushed: true}, requests: 1000, depths: [1, 32]},
];

/** How the times of single requests lie. */
async function latencies(newFile: () => string, kind: Kind): Promise<void> {
	const {title, job, requests, depths} = kind;
	const fd = openSync(newFile(), job.kind === 'read' ? 'r' : 'r+');
	const loop = callLoop(fd, job);
	const device = await startDevice(newFile(), kind);
	for (const depth of depths) {
		const times: Record<string, number[]> = {'a call each': [], 'virtio-blk, on a worker': []};
		device.driver.run(requests, depth, noWait);
		for (let round = 0; round < 5; round++) {
			loop(requests / 5, times['a call each']);
			device.driver.run(requests / 5, depth, noWait, times['virtio-blk, on a worker']);
		}
		const figures = Object.entries(times).flatMap(([name, each]) => {
			const sorted = each.toSorted((a, b) => a - b);
			return [0.5, 0.99, 0.999].map((share) => {
				return {name: `${name}, ${100 * share} % below`, unit: 'µs', samples: [quantile(sorted, share)]};
			});
		});
		report(`${title}, depth ${depth}, of ${requests} single requests`, figures);
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
		let files = 0;
		const newFile = (): string => {
			const path = join(folder, `${files++}`);
			writeFileSync(path, content, {flush: true});
			return path;
		};
		for (const kind of timedKinds) await latencies(newFile, kind);
		for (const kind of kinds) await measure(newFile, kind);
	} finally {
		rmSync(folder, {recursive: true});
	}
} else {
	await work(workerData as WorkerShare, findModel);
}
