import {MessageChannel} from 'node:worker_threads';
import test from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {plainMemory} from '#devices/guest-memory/testing';
import {oneThreadMachine} from '#devices/testing';
import {
	FakeHypervisor,
	type Guest,
	type GuestScript,
	halt,
	type Moment,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import {VcpuCommand, VcpuControl, vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import {parseVcpuState} from '#vcpu-worker/state';
import {VcpuWorker} from './vcpu-worker.ts';

const port = 0x500;
const [stopWord, commandsWord] = [VcpuControl.word('stopRequested'), VcpuControl.word('commands')];

/** A worker of the one processor of a machine, which executes this. What it has come to is in `log`. */
function workerOf(script: GuestScript) {
	const {layout} = oneThreadMachine([{name: 'latch', kind: latchKind, config: {port}}]);
	const hypervisor = new FakeHypervisor(script);
	const partition = hypervisor.create({irqchip: 'kernel', processors: 1});
	const vcpu = partition.openVcpu({index: 0, apicId: 0, apicMode: 'xapic', cpuid: []});
	const control = {buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0};
	const log: Moment[] = [];
	let failing: Moment | undefined;
	hypervisor.moment = (moment) => {
		log.push(moment);
		if (moment === failing) throw new Error(`no ${moment}`);
	};
	let hasLeft = false;
	const leave = () => {
		hasLeft = true;
	};
	const worker = new VcpuWorker(leave, () => new MessageChannel().port1);
	const words = vcpuShared(control).control.$atomic;
	return {
		worker,
		hypervisor,
		log,
		failAt: (moment: Moment | undefined) => {
			failing = moment;
		},
		create: () =>
			worker.create({
				layout,
				memory: plainMemory(),
				partition: partition.handle,
				index: 0,
				vcpu,
				control,
				mailboxSpins: 1,
			}),
		/** Gives a command as the owner does. */
		command: (command: number) => void Atomics.or(words, commandsWord, command),
		requestStop() {
			Atomics.store(words, stopWord, 1);
			hypervisor.vcpus[0]?.kick();
		},
		allowRun: () => void Atomics.store(words, stopWord, 0),
		hasLeft: () => hasLeft,
	};
}

function* halts(): Guest {
	for (;;) yield halt();
}

test('a worker that is disposed of while it makes its processor makes it, closes it and leaves', async (t) => {
	const {worker, create, log, hasLeft} = workerOf(halts);
	const created = create();
	const disposed = worker.dispose();
	t.false(hasLeft());
	await Promise.all([created, disposed]);
	t.true(hasLeft());
	t.deepEqual(log.slice(-2), ['enter', 'close']);
	t.throws(() => worker.save(), {instanceOf: TypeError});
});

for (const moment of ['attach', 'enter', 'close'] as const) {
	test(`a worker whose processor fails to ${moment} leaves all the same`, async (t) => {
		const {worker, create, failAt, hasLeft} = workerOf(halts);
		failAt(moment);
		const message = `no ${moment}`;
		if (moment === 'close') {
			await create();
			await t.throwsAsync(worker.dispose(), {message});
		} else {
			await t.throwsAsync(create(), {message});
			await worker.dispose();
		}
		t.true(hasLeft());
	});
}

test('a worker lets its machine go, and takes no other one where its back end does not leave threads clean', async (t) => {
	const {worker, create, log, hasLeft} = workerOf(halts);
	t.true(await worker.release(), 'nothing has been made');
	await create();
	t.false(await worker.release());
	t.deepEqual(log.slice(-2), ['enter', 'close']);
	t.throws(() => worker.save(), {instanceOf: TypeError});
	t.false(hasLeft());
});

test('a run that fails says what of, and calls are taken again', async (t) => {
	const {worker, create, failAt, hypervisor} = workerOf(function* () {
		yield writePort(port, 4, 7);
	});
	await create();
	failAt('serve');
	const message = "A vCPU's exit could not be served: no serve";
	t.like(await worker.run(), {kind: 'failed', error: {code: 'INTERNAL_ERROR', message}});
	failAt(undefined);
	await worker.reset();
	t.is(hypervisor.vcpus[0]?.steps, 0);
	t.is(worker.report()['activity'], 'runnable');
});

test('an NMI that a processor is commanded to take while it stands still is in its state, and a reset drops it', async (t) => {
	const {worker, create, command, hypervisor} = workerOf(halts);
	await create();
	command(VcpuCommand.NMI);
	const saved = parseVcpuState(worker.save());
	t.is(hypervisor.vcpus[0]?.nmis, 1);
	await worker.reset();
	command(VcpuCommand.NMI);
	await worker.reset();
	worker.save();
	t.is(hypervisor.vcpus[0]?.nmis, 0);
	await worker.restore(saved);
	t.is(hypervisor.vcpus[0]?.nmis, 1, 'the one that was saved');
});

test('a processor that is still being made takes its state when it is', async (t) => {
	const first = workerOf(halts);
	await first.create();
	first.command(VcpuCommand.NMI);
	const saved = parseVcpuState(first.worker.save());
	const {worker, create, hypervisor} = workerOf(halts);
	const created = create();
	const restored = worker.restore(saved);
	t.is(hypervisor.vcpus[0], undefined);
	await Promise.all([created, restored]);
	t.is(hypervisor.vcpus[0]?.nmis, 1);
});

test('a processor that waits leaves its thread to calls, and a stop ends the wait and holds until it is taken back', async (t) => {
	const {worker, create, requestStop, allowRun, hypervisor} = workerOf(halts);
	await create();
	t.is(worker.resume(), undefined, 'there is nothing to go on from');
	const first = worker.run();
	t.is(worker.report()['activity'], 'halted');
	requestStop();
	t.deepEqual(await first, {kind: 'requested'});
	t.deepEqual(await worker.run(), {kind: 'requested'});
	t.not(worker.resume(), undefined);
	allowRun();
	const second = worker.run();
	hypervisor.vcpus[0]?.deliver(0x30);
	await new Promise((resolve) => setImmediate(resolve));
	t.is(hypervisor.vcpus[0]?.steps, 1);
	requestStop();
	t.deepEqual(await second, {kind: 'requested'});
});
