/**
 * From the guest's doorbell to the completion of an empty request: a driver on this thread, a virtio device on MMIO whose back
 * runs on a device worker of its own, which sleeps or still looks for work. Beside it the same way between two threads in C.
 * The bus rings, as it does where no back end has an ioeventfd. Needs no KVM.
 */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {isMainThread, workerData} from 'node:worker_threads';
import type {GuestWindow} from '#devices/guest-memory';
import {completeModel} from '#devices/pci/function';
import {echoModel} from '#devices/virtio/testing';
import {WakerState} from '#support/mailbox';
import {unchecked} from '#support/trust';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {median, report} from './report.ts';

const rounds = 7;
const requests = 1000;
const buffer = 0x8000;
const stayAwake = Number.MAX_SAFE_INTEGER;

const model = completeModel(echoModel('mmio'));
const findModel = () => model;
/** Nanoseconds of each request. @param pollNs - how long the worker looks for work before it sleeps */
async function measure(pollNs: number): Promise<number[]> {
	const options = {pollNs, thread: new URL(import.meta.url)};
	const {memory, registers, waker, ...machine} = await startMachine(model.kind, {queues: 1}, findModel, options);
	const driver = machine.driver();
	driver.begin();
	driver.describe(driver.place().descriptors, 0, buffer, 1, 2);
	const used = memory.mapped(driver.place().device, 4, 4) as GuestWindow;
	const asleep = WakerState.on(waker.buffer).$atomic;
	const samples: number[] = [];
	for (let round = -2; round < rounds; round++) {
		const times: number[] = [];
		for (let request = 0; request < requests; request++) {
			while (pollNs === 0 && Atomics.load(asleep, WakerState.word('asleep')) === 0);
			const quiet = process.hrtime.bigint() + 50_000n;
			while (process.hrtime.bigint() < quiet);
			const before = unchecked(used.acquireU16(2));
			const start = process.hrtime.bigint();
			driver.publish(0);
			registers.notify(0);
			while (unchecked(used.acquireU16(2)) === before);
			times.push(Number(process.hrtime.bigint() - start));
		}
		// The first rounds compile.
		if (round >= 0) samples.push(median(times));
	}
	await machine.end();
	return samples;
}

/** The same between two threads in C. */
function peers(): Record<'sleep' | 'poll', number[]> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
	try {
		const peer = join(folder, 'wake-loop');
		execFileSync('cc', ['-O2', '-pthread', '-o', peer, join(process.cwd(), 'test/bench/peer/wake-loop.c')]);
		const run = (how: string) =>
			Array.from({length: rounds}, () => Number(execFileSync(peer, [how, String(requests)], {encoding: 'utf8'})));
		return {sleep: run('sleep'), poll: run('poll')};
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}

if (isMainThread) {
	const peer = peers();
	const figures = [
		{name: 'two threads in C, asleep', unit: 'ns', samples: peer.sleep},
		{name: 'doorbell to completion, asleep', unit: 'ns', samples: await measure(0)},
	];
	report('An empty request to a worker that sleeps', figures, 'two threads in C, asleep');
	const polling = [
		{name: 'two threads in C, polling', unit: 'ns', samples: peer.poll},
		{name: 'doorbell to completion, polling', unit: 'ns', samples: await measure(stayAwake)},
	];
	report('An empty request to a worker that polls', polling, 'two threads in C, polling');
} else {
	await work(workerData as WorkerShare, findModel);
}
