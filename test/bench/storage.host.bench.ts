/**
 * A disk from a file in the page cache, 4 KiB at a time from random places, at depth 1 and 32: by virtio-blk on a device worker, whose driver on this
 * thread spins; by a virtio-blk on this thread, which says what it costs without anybody waiting; by the I/O engine alone; and by
 * preadv(2) in a loop, which is what the host has to give to one thread. The driver asks anew at once for what the device has done. The same content as a qcow2 image and a VHDX, beside `qemu-img bench`, whose reads
 * go through the image by steps. Needs no KVM, and two processors that are free.
 */
import {execFileSync} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {isMainThread, workerData} from 'node:worker_threads';
import {completeModel} from '#devices/pci/function';
import {hasQemuImg} from '#devices/storage/image/testing';
import {diskOption} from '#devices/storage/source';
import {virtioBlkMmio} from '#devices/virtio/blk';
import {VirtioMachine} from '#devices/virtio/testing';
import {convertDisk} from '#main/disk-images';
import {type EngineName, engineNames} from '#support/io-engine';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {type DiskJob, randomPlaces} from './disk-job.ts';
import {callLoop, startEngine} from './host-io.ts';
import {report} from './report.ts';
import {RingDriver} from './ring-driver.ts';

/** They compile, images' part of it last, and are not counted. */
const firstRounds = 6;
const rounds = firstRounds + Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 7);
const depths = [1, 32] as const;
const requestsOfRound = 1280;
const blockBytes = 4096;
const fileBytes = 256 * 2 ** 20;

const model = completeModel(virtioBlkMmio);
const findModel = () => model;

const randomBlock = randomPlaces(fileBytes, blockBytes);
const job: DiskJob = {kind: 'read', bytes: blockBytes, next: randomBlock};

const configOf = (path: string, engine: EngineName) => {
	const disk = diskOption.parse(`file:${path};engine=${engine}`, 'disk');
	return {disk, queues: 1, workers: 1, readOnly: true, packed: false, id: ''};
};

/** Something that reads so many blocks at a depth, and tells the milliseconds that it took. */
type Subject = (depth: number) => Promise<number>;

interface Running {
	readonly subject: Subject;
	end(): Promise<void>;
}

async function timed(action: () => Promise<void> | void): Promise<number> {
	const begin = process.hrtime.bigint();
	await action();
	return Number(process.hrtime.bigint() - begin) / 1e6;
}

/** The device path: rings, doorbell, a worker's thread, an engine, and back. */
async function startDevice(path: string, engine: EngineName, pollNs: number): Promise<Running> {
	const config = configOf(path, engine);
	const thread = new URL(import.meta.url);
	const machine = await startMachine(model.kind, config, findModel, {pollNs, thread});
	const driver = new RingDriver(machine, job);
	return {subject: blocksBy(driver, () => {}), end: machine.end};
}

/** The same on this thread, in turns of a reactor that never waits. */
async function startAlone(path: string, engine: EngineName): Promise<Running> {
	const machine = await VirtioMachine.opened(model as never, 'mmio', configOf(path, engine));
	const driver = new RingDriver(machine, job);
	// The table of an image that the rest of them needs, and for which it would wait in promises.
	driver.begin(1, 1);
	while (driver.underWay > 0) if (!driver.look()) await machine.run();
	const subject = blocksBy(driver, () => machine.turn(0));
	return {
		subject,
		async end() {
			await machine.stop();
			await machine.dispose();
		},
	};
}

const blocksBy =
	(driver: RingDriver, wait: () => void): Subject =>
	(depth) =>
		timed(() => driver.run(requestsOfRound, depth, wait));

/** Steps that bring no block again for long, and lie in another table each time. */
const stepBytes = 33_333 * blockBytes;

/** QEMU's own driver of a format, reading through io_uring. */
const qemuBench =
	(path: string, format: string): Subject =>
	async (depth) => {
		const sizes = ['-c', `${requestsOfRound * 20}`, '-d', `${depth}`, '-s', `${blockBytes}`, '-S', `${stepBytes}`];
		const said = execFileSync('qemu-img', ['bench', '-f', format, '-i', 'io_uring', ...sizes, path], {
			encoding: 'latin1',
		});
		return (Number(/completed in ([\d.]+)/.exec(said)?.[1]) * 1000) / 20;
	};

if (isMainThread) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-storage-bench-'));
	const path = join(folder, 'disk.img');
	writeFileSync(path, Buffer.alloc(fileBytes, 1));
	const fd = openSync(path, 'r');
	const loop = callLoop(fd, job);
	const polling = 200_000;
	const subjects: [string, Running][] = [
		['preadv', {subject: () => timed(() => loop(requestsOfRound)), end: async () => {}}],
	];
	for (const name of engineNames) {
		subjects.push([`virtio-blk, ${name}, polling`, await startDevice(path, name, polling)]);
		subjects.push([`virtio-blk, ${name}, from sleep`, await startDevice(path, name, 0)]);
	}
	subjects.push(['virtio-blk, io_uring, on this thread', await startAlone(path, 'io_uring')]);
	for (const format of ['qcow2', 'vhdx']) {
		const image = join(folder, `disk.${format}`);
		await convertDisk({path}, {path: image});
		subjects.push([`${format}, io_uring, on this thread`, await startAlone(image, 'io_uring')]);
		subjects.push([`${format}, io_uring, polling`, await startDevice(image, 'io_uring', polling)]);
	}
	if (hasQemuImg)
		for (const [format, image] of [
			['raw', path],
			['qcow2', join(folder, 'disk.qcow2')],
			['vhdx', join(folder, 'disk.vhdx')],
		] as const)
			subjects.push([`qemu-img bench, ${format}, io_uring`, {subject: qemuBench(image, format), end: async () => {}}]);
	const samples = new Map<string, number[]>();
	const sample = async (name: string, subject: Subject, round: number) => {
		for (const depth of depths) {
			const ms = await subject(depth);
			const key = `${depth} ${name}`;
			if (round >= firstRounds) samples.set(key, [...(samples.get(key) ?? []), (ms * 1000) / requestsOfRound]);
		}
	};
	for (let round = 0; round < rounds; round++)
		for (const [name, {subject}] of subjects) await sample(name, subject, round);
	for (const [, {end}] of subjects) await end();
	for (const name of engineNames) {
		const engine = startEngine(fd, name, job, depths[1]);
		const subject = (depth: number) => timed(() => engine.run(requestsOfRound, depth));
		for (let round = 0; round < rounds; round++) await sample(`${name} alone`, subject, round);
		await engine.end();
	}
	closeSync(fd);
	rmSync(folder, {recursive: true});
	const names = [...subjects.map(([name]) => name), ...engineNames.map((name) => `${name} alone`)];
	for (const depth of depths) {
		const figures = names.map((name) => ({name, unit: 'µs', samples: samples.get(`${depth} ${name}`) ?? []}));
		report(`4 KiB from a random place of the page cache, depth ${depth}`, figures, 'preadv');
	}
} else {
	await work(workerData as WorkerShare, findModel);
}
