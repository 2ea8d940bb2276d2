/** A machine for measuring device workers: its devices are on threads of their own, and no processor runs. */

import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import {MappedMemory, type MemoryHandle} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {
	AttachedMachine,
	DeviceBacks,
	layOutMachine,
	type MachineLayout,
	type ModelFinder,
	type PlacedWorker,
} from '#devices/machine';
import {mmioRegisters, TestDriver} from '#devices/virtio/testing';
import {eventfd, signalEventfd} from '#support/ffi';
import {MailboxCaller, mailboxBytes, Waker, type WakerHandle, WakerState} from '#support/mailbox';
import {EpollReactor} from '#support/reactor';
import {driverRamBytes} from './ring-driver.ts';

/** Share of a device worker's thread. */
export interface WorkerShare {
	readonly layout: MachineLayout;
	readonly memory: MemoryHandle;
	/** Time that it looks for work before it sleeps. */
	readonly pollNs: number;
	/** A word that counts interrupts. */
	readonly interrupts: SharedArrayBuffer;
	/** Number of the worker among the machine's. */
	readonly worker: number;
}

/** Time that a driver waits for an interrupt before it looks whether the device still works. */
const patienceMs = 1000;

function attach(
	{layout, memory, interrupts}: Pick<WorkerShare, 'layout' | 'memory' | 'interrupts'>,
	findModel: ModelFinder,
) {
	const word = new Int32Array(interrupts);
	const setLine = (_input: number, asserted: boolean) => {
		if (!asserted) return;
		Atomics.add(word, 0, 1);
		Atomics.notify(word, 0);
	};
	return new AttachedMachine(layout, {
		findModel,
		memory: new MappedMemory(memory),
		interrupts: tellingInterrupts({setLine}),
	});
}

/** A device worker, until its thread is ended. */
export async function work({worker, ...shared}: WorkerShare, findModel: ModelFinder): Promise<void> {
	const {waker} = shared.layout.workers[worker] as PlacedWorker;
	const bell = new Waker(waker);
	const holder: {backs?: DeviceBacks} = {};
	const reactor = new EpollReactor({pollNs: shared.pollNs});
	reactor.look({
		wakeFd: waker.wakeFd,
		poll: () => holder.backs?.poll() ?? false,
		sleeping: (asleep) => bell.sleeping(asleep),
	});
	const failed = ({message}: Error) => {
		throw new Error(message);
	};
	holder.backs = new DeviceBacks(attach(shared, findModel), reactor, failed, {worker});
	const running = reactor.run();
	await holder.backs.open();
	holder.backs.start();
	await running;
}

/**
 * A machine with one virtio device on MMIO, its driver on this thread, and its workers on theirs.
 * @param thread - the module whose threads call {@link work}
 */
export async function startMachine(
	kind: string,
	config: object,
	findModel: ModelFinder,
	{workers = 1, pollNs, thread}: {readonly workers?: number; readonly pollNs: number; readonly thread: URL},
) {
	const wakers = Array.from({length: workers}, () => {
		return {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: eventfd()};
	});
	const [waker] = wakers as [WakerHandle];
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker};
	const device = {name: 'it', kind, config: {...config, mmio: {base: 0xd000_0000, irq: 5}}} as const;
	const layout = layOutMachine([device], findModel, {modules: [], wakers, mailbox});
	const interrupts = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
	const shared = {layout, memory: plainMemory({gpa: 0, length: driverRamBytes}), pollNs, interrupts};
	const machine = attach(shared, findModel);
	machine.reset();
	const memory = new MappedMemory(shared.memory);
	const registers = mmioRegisters({bus: machine.bus(new MailboxCaller(mailbox, 0, {spins: 1, patienceMs: 1}))});
	const threads = wakers.map(
		(_, worker) => new Worker(thread, {workerData: {...shared, worker} satisfies WorkerShare}),
	);
	await Promise.all(threads.map((each) => once(each, 'online')));
	const word = new Int32Array(interrupts);
	let seen = 0;
	return {
		memory,
		registers,
		/** Sleeps until the device interrupts, as a guest's processor does that has nothing else to do, and acknowledges. */
		sleep() {
			Atomics.wait(word, 0, seen, patienceMs);
			seen = Atomics.load(word, 0);
			registers.takeInterrupts();
		},
		driver: (queueSize?: number) => new TestDriver({memory, registers}, queueSize),
		waker,
		async end() {
			const ended = threads.map((each) => each.terminate());
			// They sleep in a system call.
			for (const {wakeFd} of wakers) signalEventfd(wakeFd);
			await Promise.all(ended);
		},
	};
}
