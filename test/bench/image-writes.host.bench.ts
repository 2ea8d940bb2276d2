/**
 * Writes of 4 KiB to images of qcow2 and VHDX beside a raw file and `qemu-img bench -w`: to what has its place already, at random places, and to a cluster or a block
 * that gets its place by that, one behind the other. By virtio-blk on a device worker that sleeps where it has nothing to do, all in turn:
 * a write goes to a thread of the kernel's, which a worker that polls would keep from the processor that the driver leaves. Needs no KVM, and two processors that are free.
 */
import {execFileSync} from 'node:child_process';
import {copyFileSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {isMainThread, workerData} from 'node:worker_threads';
import {completeModel} from '#devices/pci/function';
import {hasQemuImg} from '#devices/storage/image/testing';
import {diskOption} from '#devices/storage/source';
import {virtioBlkMmio} from '#devices/virtio/blk';
import {convertDisk, createDisk} from '#main/disk-images';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {type DiskJob, placesInOrder, randomPlaces} from './disk-job.ts';
import {report} from './report.ts';
import {RingDriver} from './ring-driver.ts';

/** They compile, and are not counted. */
const firstRounds = 3;
const rounds = firstRounds + Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 10);
const depths = [1, 32] as const;
const writeBytes = 4096;
const fileBytes = 128 * 2 ** 20;
const allocatedRequests = 640;
/** Blocks that get a place in a round. */
const newBlocks = 128;
const model = completeModel(virtioBlkMmio);
const findModel = () => model;
/** Formats, and the unit in which their images get room. */
const blocks = {raw: 2 ** 16, qcow2: 2 ** 16, vhdx: 2 ** 21} as const;
type FormatName = keyof typeof blocks;
const formats = Object.keys(blocks) as readonly FormatName[];

/** Has so many writes done at a depth. @returns microseconds of each */
type Subject = (depth: number) => Promise<number>;

async function startDevice(path: string, job: DiskJob) {
	const config = {
		disk: diskOption.parse(`file:${path}`, 'disk'),
		queues: 1,
		workers: 1,
		readOnly: false,
		packed: false,
		id: '',
	};
	const thread = new URL(import.meta.url);
	const machine = await startMachine(model.kind, config, findModel, {pollNs: 0, thread});
	const driver = new RingDriver(machine, job);
	return {
		run(requests: number, depth: number): number {
			const since = performance.now();
			driver.run(requests, depth, () => {});
			return ((performance.now() - since) * 1000) / requests;
		},
		end: machine.end,
	};
}

/** @param step - bytes from one write to the next */
function qemuBench(path: string, format: FormatName, count: number, depth: number, step: number): number {
	const sizes = ['-w', '-c', `${count}`, '-d', `${depth}`, '-s', `${writeBytes}`, '-S', `${step}`];
	const words = ['bench', '-f', format, '-i', 'io_uring', '-t', 'writeback', ...sizes, path];
	const said = execFileSync('qemu-img', words, {encoding: 'latin1'});
	return (Number(/completed in ([\d.]+)/.exec(said)?.[1]) * 1e6) / count;
}

async function inTurn(title: string, subjects: ReadonlyMap<string, Subject>): Promise<void> {
	for (const depth of depths) {
		const samples = new Map<string, number[]>([...subjects.keys()].map((name) => [name, []]));
		for (let round = 0; round < rounds; round++)
			for (const [name, subject] of subjects) {
				const each = await subject(depth);
				if (round >= firstRounds) samples.get(name)?.push(each);
			}
		const figures = [...samples].map(([name, each]) => ({name, unit: 'µs', samples: each}));
		report(`${title}, depth ${depth}, for each write`, figures, 'raw');
	}
}

/** Steps that bring no block again for long. */
const manySteps = 3333 * writeBytes;

async function allocated(folder: string): Promise<void> {
	const content = join(folder, 'content.raw');
	writeFileSync(content, Buffer.alloc(fileBytes, 1));
	const job: DiskJob = {kind: 'write', bytes: writeBytes, next: randomPlaces(fileBytes, writeBytes)};
	const subjects = new Map<string, Subject>();
	const ends: (() => Promise<void>)[] = [];
	for (const format of formats) {
		const path = join(folder, `allocated.${format}`);
		await convertDisk({path: content}, {path});
		// Of its own: who writes has its file alone.
		const peer = join(folder, `peer.${format}`);
		copyFileSync(path, peer);
		const {run, end} = await startDevice(path, job);
		ends.push(end);
		subjects.set(format, async (depth) => run(allocatedRequests, depth));
		if (hasQemuImg)
			subjects.set(`qemu-img bench, ${format}`, async (depth) =>
				qemuBench(peer, format, 10 * allocatedRequests, depth, manySteps),
			);
	}
	await inTurn('4 KiB written to what has its place', subjects);
	for (const end of ends) await end();
}

async function allocating(folder: string): Promise<void> {
	let images = 0;
	const newImage = async (format: FormatName, count: number) => {
		const path = join(folder, `new-${images++}.${format}`);
		await createDisk({path}, count * blocks[format]);
		return path;
	};
	const subjects = new Map<string, Subject>();
	const ends: (() => Promise<void>)[] = [];
	for (const format of formats) {
		const step = blocks[format];
		// It goes on in one image, as a worker that begins anew has nothing compiled.
		const all = newBlocks * rounds * depths.length;
		const job: DiskJob = {kind: 'write', bytes: writeBytes, next: placesInOrder(all * step, step)};
		const {run, end} = await startDevice(await newImage(format, all), job);
		ends.push(end);
		subjects.set(format, async (depth) => run(newBlocks, depth));
		if (hasQemuImg)
			subjects.set(`qemu-img bench, ${format}`, async (depth) => {
				const path = await newImage(format, newBlocks);
				const each = qemuBench(path, format, newBlocks, depth, step);
				rmSync(path);
				return each;
			});
	}
	await inTurn('4 KiB written to a block that gets its place by that', subjects);
	for (const end of ends) await end();
}

if (isMainThread) {
	const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-images-'));
	try {
		await allocated(folder);
		await allocating(folder);
	} finally {
		rmSync(folder, {recursive: true});
	}
} else {
	await work(workerData as WorkerShare, findModel);
}
