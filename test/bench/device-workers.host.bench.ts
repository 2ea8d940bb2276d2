/**
 * A disk in RAM with two queues, both full of reads: on one worker, and on two. The driver on this thread fills both queues, rings twice and
 * sleeps until all is done, so that the workers have the processors. Needs no KVM, and two processors.
 */
import {isMainThread, workerData} from 'node:worker_threads';
import type {GuestWindow} from '#devices/guest-memory';
import {completeModel} from '#devices/pci/function';
import {virtioBlkMmio} from '#devices/virtio/blk';
import {unchecked} from '#support/trust';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {report} from './report.ts';

const rounds = 15;
const batches = 40;
const queues = [0, 1];
const [queueSize, descriptorsOfRequest] = [128, 3];
const requests = Math.floor(queueSize / descriptorsOfRequest);
const readBytes = 128 * 1024;
const [headerBytes, headers, statuses, buffers] = [16, 0x8000, 0x9000, 0x10_0000];

const model = completeModel(virtioBlkMmio);
const findModel = () => model;

/** A machine whose disk has this many workers for its two queues. */
async function start(workers: number) {
	const config = {bytes: queues.length * readBytes, queues: queues.length, workers, readOnly: false, id: ''};
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

if (isMainThread) {
	const machines = [await start(1), await start(2)] as const;
	// The first rounds compile.
	for (let round = 0; round < 3; round++) for (const machine of machines) machine.round();
	const samples: [number[], number[]] = [[], []];
	// In turn, so that what else the host does is met by both.
	for (let round = 0; round < rounds; round++)
		for (const [index, machine] of machines.entries()) samples[index]?.push(machine.round());
	for (const machine of machines) {
		machine.check();
		await machine.end();
	}
	const name = 'two queues on one worker';
	const total = (queues.length * batches * requests * readBytes) / 2 ** 20;
	const figures = [
		{name, unit: 'ms', samples: samples[0]},
		{name: 'two queues on two workers', unit: 'ms', samples: samples[1]},
	];
	report(`${total} MiB read from a disk in RAM, ${readBytes / 1024} KiB at a time`, figures, name);
} else {
	await work(workerData as WorkerShare, findModel);
}
