/**
 * From the guest's doorbell to the completion of an empty request: a driver on this thread, a virtio device on MMIO whose back
 * runs on a device worker of its own, which sleeps or still looks for work. Beside it the same way between two threads in C.
 * The bus rings, as it does where no back end has an ioeventfd. Needs no KVM.
 */
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {isMainThread, Worker, workerData} from 'node:worker_threads';
import {type GuestWindow, MappedMemory, type MemoryHandle} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {AttachedMachine, DeviceBacks, layOutMachine, type MachineLayout, type PlacedWorker} from '#devices/machine';
import {completeModel} from '#devices/pci/function';
import {echoModel, mmioRegisters, TestDriver} from '#devices/virtio/testing';
import {eventfd, signalEventfd} from '#support/ffi';
import {MailboxCaller, mailboxBytes, Waker, WakerState} from '#support/mailbox';
import {EpollReactor} from '#support/reactor';
import {unchecked} from '#support/trust';
import {median, report} from './report.ts';

const rounds = 7;
const requests = 1000;
const ramBytes = 2 ** 20;
const buffer = 0x8000;
const stayAwake = Number.MAX_SAFE_INTEGER;

interface Shared {
	readonly layout: MachineLayout;
	readonly memory: MemoryHandle;
	readonly pollNs: number;
}

const model = completeModel(echoModel('mmio'));
const findModel = () => model;
const attach = ({layout, memory}: Shared) =>
	new AttachedMachine(layout, {findModel, memory: new MappedMemory(memory), interrupts: tellingInterrupts()});

/** The device worker, until it is asked to end. */
async function work(shared: Shared): Promise<void> {
	const {waker} = shared.layout.workers[0] as PlacedWorker;
	const bell = new Waker(waker);
	const {wakeFd} = waker;
	const holder: {backs?: DeviceBacks} = {};
	const reactor = new EpollReactor({pollNs: shared.pollNs});
	reactor.look({wakeFd, poll: () => holder.backs?.poll() ?? false, sleeping: (asleep) => bell.sleeping(asleep)});
	holder.backs = new DeviceBacks(attach(shared), reactor, ({message}) => {
		throw new Error(message);
	});
	holder.backs.start();
	await reactor.run();
}

/** Nanoseconds of each request. @param pollNs - how long the worker looks for work before it sleeps */
async function measure(pollNs: number): Promise<number[]> {
	const waker = {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: eventfd()};
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker};
	const place = {base: 0xd000_0000, irq: 5};
	const device = {name: 'it', kind: model.kind, config: {queues: 1, mmio: place}} as const;
	const layout = layOutMachine([device], findModel, {modules: [], wakers: [waker], mailbox});
	const shared: Shared = {layout, memory: plainMemory({gpa: 0, length: ramBytes}), pollNs};
	const machine = attach(shared);
	machine.reset();
	const memory = new MappedMemory(shared.memory);
	const bus = machine.bus(new MailboxCaller(mailbox, 0, {spins: 1, patienceMs: 1}));
	const registers = mmioRegisters({bus});
	const driver = new TestDriver({memory, registers});
	driver.begin();
	driver.describe(driver.place().descriptors, 0, buffer, 1, 2);
	const used = memory.mapped(driver.place().device, 4, 4) as GuestWindow;
	const worker = new Worker(new URL(import.meta.url), {workerData: shared});
	await once(worker, 'online');
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
	const ended = worker.terminate();
	// It sleeps in a system call.
	signalEventfd(waker.wakeFd);
	await ended;
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
	await work(workerData as Shared);
}
