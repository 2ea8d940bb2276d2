import {setImmediate} from 'node:timers/promises';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import test from 'ava';
import type {PageWatchHandle} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {oneThreadMachine} from '#devices/testing';
import {allocateSharedMemory} from '#support/shared-memory';
import {VcpuControl, vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import {offeredCpuid, software} from '#vcpu-worker/software/back-end';
import {parseVcpuState} from '#vcpu-worker/state';
import {VcpuWorker} from './vcpu-worker.ts';
import type {VcpuWorkerData} from './worker-data.ts';

const noChannel = (): never => {
	throw new TypeError('nothing is hot');
};

/** A machine on the software processor, without devices, and the worker of its one processor. */
function softwareMachine(worker = new VcpuWorker(() => {}, noChannel)) {
	const {layout} = oneThreadMachine([]);
	const partition = software.create({irqchip: 'split', processors: 1});
	const watch = partition.watch as PageWatchHandle;
	const control = {buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0};
	const ram = allocateSharedMemory(0x1_0000);
	const memory = plainMemory({gpa: 0, length: 0x1_0000});
	const data: VcpuWorkerData = {
		layout,
		memory: {...memory, ranges: memory.ranges.map((range) => ({...range, memory: ram, offset: 0})), watch},
		partition: partition.handle,
		index: 0,
		vcpu: partition.openVcpu({index: 0, apicId: 0, apicMode: 'xapic', cpuid: offeredCpuid}),
		control,
		mailboxSpins: 1,
	};
	return {
		worker,
		layout,
		create: (changes: Partial<VcpuWorkerData> = {}) => worker.create({...data, ...changes}),
		requestStop: () => void Atomics.store(vcpuShared(control).control.$atomic, VcpuControl.word('stopRequested'), 1),
		/** What threads share of it: RAM, the processor's own memory, marks of code and the control block. */
		buffers: [ram.buffer, ...watch.watchers.map(({memory: {buffer}}) => buffer), watch.lines, control.buffer],
	};
}

test('a worker that has let its machine go makes another', async (t) => {
	const worker = new VcpuWorker(() => t.fail(), noChannel);
	for (let round = 0; round < 2; round++) {
		await softwareMachine(worker).create();
		t.true(await worker.release());
	}
});

test('a worker that has failed takes no other machine', async (t) => {
	const failed = softwareMachine();
	await t.throwsAsync(failed.create({vcpu: {kind: 'none'}}));
	t.false(await failed.worker.release());
	const broken = softwareMachine();
	await broken.create();
	t.true(await broken.worker.release());
	t.like(await broken.worker.run(), {kind: 'failed'});
	t.false(await broken.worker.release());
});

test('a worker that has run code of a user takes no other machine, be it there from the start or come later', async (t) => {
	const modules = ['data:text/javascript,export const models = []'];
	const {worker, layout, create} = softwareMachine();
	await create();
	await worker.change({...layout, modules}).catch(() => {});
	t.false(await worker.release());
	const other = softwareMachine();
	await other.create({layout: {...layout, modules}}).catch(() => {});
	t.false(await other.worker.release());
});

test('nothing of a machine that a worker has let go stays in its heap', async (t) => {
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc') as () => void;
	const worker = new VcpuWorker(() => {}, noChannel);
	const serve = async () => {
		const {create, requestStop, buffers} = softwareMachine(worker);
		await create();
		requestStop();
		t.like(await worker.run(), {kind: 'requested'});
		await worker.restore(parseVcpuState(worker.save()));
		t.true(await worker.release());
		return buffers.map((buffer) => new WeakRef(buffer));
	};
	const rehearsed: WeakRef<object>[] = [];
	await worker.rehearse({
		...software,
		create(spec) {
			const partition = software.create(spec);
			rehearsed.push(...(partition.watch?.watchers ?? []).map(({memory: {buffer}}) => new WeakRef(buffer)));
			return partition;
		},
	});
	const buffers = [...rehearsed, ...(await serve())];
	await setImmediate();
	collect();
	t.is(buffers.length, 5);
	for (const buffer of buffers) t.is(buffer.deref(), undefined);
});

test('a thread rehearses until a machine comes, whose processor is made then', async (t) => {
	const worker = new VcpuWorker(() => t.fail(), noChannel);
	t.is(await worker.rehearse(software), 4);
	t.throws(() => worker.save(), {instanceOf: TypeError});
	const first = softwareMachine(worker);
	const rehearsed = worker.rehearse(software);
	await first.create();
	t.is(await rehearsed, 0, 'one that comes before');
	t.true(await worker.release());
	t.is(await worker.rehearse(software), 0, 'a thread that has had one');
	const busy = new VcpuWorker(() => t.fail(), noChannel);
	const second = softwareMachine(busy);
	const rehearsing = busy.rehearse(software);
	await second.create();
	t.true((await rehearsing) < 4);
	second.requestStop();
	t.like(await busy.run(), {kind: 'requested'});
	t.true(await busy.release());
});

test('nothing is rehearsed on a back end after whose processors a thread ends', async (t) => {
	const {leavesThreadsClean: _, ...hypervisor} = software;
	t.is(await new VcpuWorker(() => {}, noChannel).rehearse(hypervisor), 0);
});
