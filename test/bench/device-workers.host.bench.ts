/**
 * A disk in RAM with two queues, both full of reads: on one worker, and on two. The driver on this thread fills both queues, rings twice and
 * sleeps until all is done, so that the workers have the processors. Beside it the same copies by one and by two threads that do nothing
 * else: what the host has to give. Needs no KVM, and two processors that are free.
 */
import {once} from 'node:events';
import {isMainThread, Worker, workerData} from 'node:worker_threads';
import type {GuestWindow} from '#devices/guest-memory';
import {completeModel} from '#devices/pci/function';
import {virtioBlkMmio} from '#devices/virtio/blk';
import {unchecked} from '#support/trust';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {report} from './report.ts';

const rounds = 15;
const batches = 10;
const queues = [0, 1];
const [queueSize, descriptorsOfRequest] = [128, 3];
const requests = Math.floor(queueSize / descriptorsOfRequest);
const readBytes = 512 * 1024;
const [headerBytes, headers, statuses, buffers] = [16, 0x8000, 0x9000, 0x10_0000];

const model = completeModel(virtioBlkMmio);
const findModel = () => model;

/** A machine whose disk has this many workers for its two queues. */
async function start(workers: number) {
	const config = {
		disk: {kind: 'memory', bytes: queues.length * readBytes},
		queues: queues.length,
		workers,
		readOnly: false,
		packed: true,
		id: '',
	};
	const options = {workers, pollNs: 0, thread: new URL(import.meta.url)};
	const {memory, registers, ...machine} = await startMachine(model.kind, config, findModel, options);
	const driver = machine.driver(queueSize);
	driver.begin([], queues.length);
	const used = queues.map((queue) => memory.mapped(driver.place(queue).device, 4, 4) as GuestWindow);
	for (const queue of queues) {
		const {descriptors} = driver.place(queue);
		// A request to read (virtio 1.2, 5.2.6), and its first sector.
		memory.writeU64(headers + headerBytes * queue, 0);
		memory.writeU64(headers + headerBytes * queue + 8, (queue * readBytes) / 512);
		for (let request = 0; request < requests; request++) {
			const head = descriptorsOfRequest * request;
			driver.describe(descriptors, head, headers + headerBytes * queue, headerBytes, 1, head + 1);
			driver.describe(descriptors, head + 1, buffers + readBytes * queue, readBytes, 3, head + 2);
			driver.describe(descriptors, head + 2, statuses + queue, 1, 2);
		}
	}
	const nap = new Int32Array(new SharedArrayBuffer(4));
	let done = 0;
	/** Milliseconds of one round. */
	const round = (): number => {
		const begin = process.hrtime.bigint();
		for (let batch = 0; batch < batches; batch++) {
			for (let request = 0; request < requests; request++)
				for (const queue of queues) driver.publish(descriptorsOfRequest * request, queue);
			for (const queue of queues) registers.notify(queue);
			done = (done + requests) & 0xffff;
			while (used.some((ring) => unchecked(ring.acquireU16(2)) !== done)) Atomics.wait(nap, 0, 0, 0.05);
		}
		return Number(process.hrtime.bigint() - begin) / 1e6;
	};
	const check = () => {
		for (const queue of queues)
			if (unchecked(memory.readU8(statuses + queue)) !== 0) throw new Error(`a read of queue ${queue} failed`);
	};
	return {round, check, end: machine.end};
}

/** Share of a thread that only copies. */
interface CopierShare {
	/** A number that counts up for each round, and one that counts rounds of all threads. */
	readonly turns: SharedArrayBuffer;
	readonly copies: number;
}

/** Copies as often as it is told to, in each round. */
function copy({turns, copies}: CopierShare): never {
	const words = new Int32Array(turns);
	const [from, to] = [0, 1].map(() => new Uint8Array(new SharedArrayBuffer(readBytes))) as [Uint8Array, Uint8Array];
	for (let turn = 0; ; turn++) {
		Atomics.wait(words, 0, turn);
		for (let count = 0; count < copies; count++) to.set(from);
		Atomics.add(words, 1, 1);
		Atomics.notify(words, 1);
	}
}

/** Threads that share the copies of a round. */
async function startCopiers(threads: number) {
	const turns = new SharedArrayBuffer(8);
	const share: CopierShare = {turns, copies: (queues.length * batches * requests) / threads};
	const workers = Array.from({length: threads}, () => new Worker(new URL(import.meta.url), {workerData: share}));
	await Promise.all(workers.map((worker) => once(worker, 'online')));
	const words = new Int32Array(turns);
	let rounds = 0;
	const round = (): number => {
		const begin = process.hrtime.bigint();
		rounds++;
		Atomics.add(words, 0, 1);
		Atomics.notify(words, 0);
		for (let done = 0; done < rounds * threads; done = Atomics.load(words, 1)) Atomics.wait(words, 1, done);
		return Number(process.hrtime.bigint() - begin) / 1e6;
	};
	return {round, check() {}, end: () => Promise.all(workers.map((worker) => worker.terminate()))};
}

if (isMainThread) {
	const subjects = [await startCopiers(1), await startCopiers(2), await start(1), await start(2)];
	// The first rounds compile.
	for (let round = 0; round < 3; round++) for (const subject of subjects) subject.round();
	const samples: number[][] = subjects.map(() => []);
	// In turn, so that what else the host does is met by all.
	for (let round = 0; round < rounds; round++)
		for (const [index, subject] of subjects.entries()) samples[index]?.push(subject.round());
	for (const subject of subjects) {
		subject.check();
		await subject.end();
	}
	const total = (queues.length * batches * requests * readBytes) / 2 ** 20;
	const figure = (name: string, index: number) => ({name, unit: 'ms', samples: samples[index] ?? []});
	const [oneThread, oneWorker] = ['one thread that copies', 'two queues on one worker'];
	report(`${total} MiB copied`, [figure(oneThread, 0), figure('two threads that copy', 1)], oneThread);
	const disk = [figure(oneWorker, 2), figure('two queues on two workers', 3)];
	report(`${total} MiB read from a disk in RAM, ${readBytes / 1024} KiB at a time`, disk, oneWorker);
} else if ('copies' in workerData) {
	copy(workerData as CopierShare);
} else {
	await work(workerData as WorkerShare, findModel);
}
