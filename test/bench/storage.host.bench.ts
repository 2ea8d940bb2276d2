/**
 * A disk from a file in the page cache, 4 KiB at a time from random places, at depth 1 and 32: by virtio-blk on a device worker, whose driver on this
 * thread spins; by a virtio-blk on this thread, which says what it costs without anybody waiting; by the I/O engine alone; and by
 * preadv(2) in a loop, which is what the host has to give to one thread. The same content as a qcow2 image and a VHDX, beside `qemu-img bench`, whose reads
 * go through the image by steps. Needs no KVM, and two processors that are free.
 */
import {execFileSync} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {isMainThread, workerData} from 'node:worker_threads';
import type {GuestWindow} from '#devices/guest-memory';
import {completeModel} from '#devices/pci/function';
import {hasQemuImg} from '#devices/storage/image/testing';
import {diskOption} from '#devices/storage/source';
import {virtioBlkMmio} from '#devices/virtio/blk';
import {TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {convertDisk} from '#main/disk-images';
import {addressOf, koffi} from '#support/ffi';
import {type EngineName, engineNames, FileAction, FileOperation, openIoEngine} from '#support/io-engine';
import {EpollReactor} from '#support/reactor';
import {unchecked} from '#support/trust';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {report} from './report.ts';

/** They compile, images' part of it last, and are not counted. */
const firstRounds = 6;
const rounds = firstRounds + Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 7);
const depths = [1, 32] as const;
const requestsOfRound = 1280;
const blockBytes = 4096;
const fileBytes = 256 * 2 ** 20;
const [queueSize, descriptorsOfRequest] = [128, 3];
const [headers, statuses, buffers] = [0x8000, 0x9000, 0x4_0000];

const model = completeModel(virtioBlkMmio);
const findModel = () => model;

let state = 1;
/** A random block's number, the same in every run. */
const randomBlock = (): number => {
	state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
	return Math.floor((state / 2 ** 32) * (fileBytes / blockBytes));
};

const configOf = (path: string, engine: EngineName) => {
	const disk = diskOption.parse(`file:${path};engine=${engine}`, 'disk');
	return {disk, queues: 1, workers: 1, readOnly: true, packed: false, id: ''};
};

type Driver = Pick<TestDriver, 'describe' | 'publish' | 'place'> & {
	readonly machine: Pick<VirtioMachine, 'memory' | 'registers'>;
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
	const {memory, registers, ...machine} = await startMachine(model.kind, config, findModel, {pollNs, thread});
	const driver = machine.driver(queueSize);
	driver.begin([], 1);
	const {subject} = blocksBy(driver, () => {});
	return {subject, end: machine.end};
}

/** The same on this thread, in turns of a reactor that never waits. */
async function startAlone(path: string, engine: EngineName): Promise<Running> {
	const machine = await VirtioMachine.opened(model as never, 'mmio', configOf(path, engine));
	const driver = new TestDriver(machine, queueSize);
	driver.begin([], 1);
	const {subject, first} = blocksBy(driver, () => machine.turn(0));
	// The table of an image that the rest of them needs, and for which it would wait in promises.
	await first(() => machine.run());
	return {
		subject,
		async end() {
			await machine.stop();
			await machine.dispose();
		},
	};
}

/** Has a driver read blocks. @param wait - called until the device has answered */
function blocksBy(driver: Driver, wait: () => void) {
	const {memory, registers} = driver.machine;
	const {descriptors, device} = driver.place(0);
	const used = memory.mapped(device, 4, 4) as GuestWindow;
	for (let slot = 0; slot < depths[1]; slot++) {
		const head = descriptorsOfRequest * slot;
		driver.describe(descriptors, head, headers + 16 * slot, 16, 1, head + 1);
		driver.describe(descriptors, head + 1, buffers + blockBytes * slot, blockBytes, 3, head + 2);
		driver.describe(descriptors, head + 2, statuses + slot, 1, 2);
		memory.writeU64(headers + 16 * slot, 0);
	}
	let done = 0;
	const ask = (count: number) => {
		for (let slot = 0; slot < count; slot++) {
			memory.writeU64(headers + 16 * slot + 8, (randomBlock() * blockBytes) / 512);
			driver.publish(descriptorsOfRequest * slot);
		}
		registers.notify(0);
		done = (done + count) & 0xffff;
	};
	const isAnswered = () => unchecked(used.acquireU16(2)) === done;
	const subject: Subject = (depth) =>
		timed(() => {
			for (let left = requestsOfRound; left > 0; left -= depth) {
				ask(Math.min(depth, left));
				while (!isAnswered()) wait();
				if (unchecked(memory.readU8(statuses)) !== 0) throw new Error('a read failed');
			}
		});
	return {
		subject,
		/** Reads one, in turns of Node's loop. */
		async first(turn: () => Promise<unknown>) {
			ask(1);
			while (!isAnswered()) await turn();
		},
	};
}

/** A block's read by the engine alone. */
class Read extends FileOperation {
	readonly #buffer = new SharedArrayBuffer(blockBytes);
	readonly structs = new BigUint64Array(new ArrayBuffer(blockBytes), 0, 2);
	ended: () => void = () => {};

	constructor(fd: number) {
		super();
		this.structs.set([addressOf(this.#buffer), BigInt(blockBytes)]);
		this.vectors = Number(addressOf(this.structs));
		this.count = 1;
		this.action = FileAction.READ;
		this.fd = fd;
	}

	override completed(result: number): void {
		if (result !== blockBytes) throw new Error(`a read gave ${result}`);
		this.ended();
	}
}

function startEngine(fd: number, name: EngineName): Running {
	const reactor = new EpollReactor();
	const engine = openIoEngine(reactor, name);
	const running = reactor.run();
	const reads = Array.from({length: depths[1]}, () => new Read(fd));
	const subject = (depth: number) =>
		timed(async () => {
			const {promise, resolve} = Promise.withResolvers<void>();
			let [left, under] = [requestsOfRound, depth];
			for (const read of reads.slice(0, depth)) {
				read.ended = () => {
					if (left-- > 0) {
						read.offset = randomBlock() * blockBytes;
						engine.submit(read);
					} else if (--under === 0) resolve();
				};
				read.ended();
			}
			await promise;
		});
	return {
		subject,
		async end() {
			await engine.close();
			reactor.close();
			await running;
		},
	};
}

function preadvLoop(fd: number): Subject {
	const preadv = koffi().load(null).func('intptr_t preadv(int fd, uintptr_t vectors, int count, int64_t offset)');
	// It is kept for its buffer, which the call writes to.
	const read = new Read(fd);
	return () =>
		timed(() => {
			for (let left = requestsOfRound; left > 0; left--) preadv(read.fd, read.vectors, 1, randomBlock() * blockBytes);
		});
}

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
	const polling = 200_000;
	const subjects: [string, Running][] = [['preadv', {subject: preadvLoop(fd), end: async () => {}}]];
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
		const engine = startEngine(fd, name);
		for (let round = 0; round < rounds; round++) await sample(`${name} alone`, engine.subject, round);
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
