import test from 'ava';
import type {BackServices} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {PciTestMachine, probe, probeEndpoint} from '#devices/pci/testing';
import {FakeReactor} from '#devices/testing';
import {DeviceBacks} from './index.ts';

const absent = 0xffff_ffff;
const [command, deviceControl, flr] = [4, 0x48, 0x8000];
const bus = 2;

/** A machine whose probes have backs, which stop when the test says so. */
function make() {
	const told: string[] = [];
	const finish: (() => void)[] = [];
	const backs: BackServices<'pci'>[] = [];
	const model: typeof probeEndpoint = {
		...probeEndpoint,
		back: (_config, _state, services) => {
			backs.push(services);
			return {
				start: () => void told.push('start'),
				stop: () => {
					told.push('stop');
					return new Promise<void>((resolve) => void finish.push(resolve));
				},
				notified() {},
				dispose() {},
			};
		},
	};
	const machine = new PciTestMachine(undefined, undefined, completeModel(model));
	const worker = new DeviceBacks(machine.machine, new FakeReactor(), (error) => {
		throw error;
	});
	machine.setConfig(bus, 0, command, 6, 2);
	const registers = machine.bar(bus, 0) >>> 0;
	machine.bus.writeMmio(registers + probe.SCRATCH, 4, 77);
	return {
		machine,
		worker,
		told,
		registers,
		near: backs[0] as BackServices<'pci'>,
		reset: () => machine.setConfig(bus, 0, deviceControl, flr, 2),
		id: () => machine.config(bus, 0, 0),
		scratch: () => machine.machine.stateOf('near')?.['scratch'],
		/** All that was asked to stop has nothing in flight any more. */
		async stopped() {
			for (const resolve of finish.splice(0)) resolve();
			await new Promise((resolve) => void setImmediate(resolve));
		},
	};
}

test('a function with a back is reset when that has nothing in flight, and answers nothing until then', async (t) => {
	const {machine, worker, told, registers, near, reset, id, scratch, stopped} = make();
	worker.start();
	t.not(machine.config(bus, 0, deviceControl - 4) & (1 << 28), 0, 'it says that it can');
	machine.bus.writeMmio(registers + probe.RAISE, 4, 0);
	reset();
	t.deepEqual(machine.lines, ['17 up', '17 down']);
	t.is(id(), absent);
	t.is(machine.bus.readMmio(registers + probe.ID, 4), absent);
	t.true(worker.poll());
	t.deepEqual(told, ['start', 'start', 'stop']);
	t.is(near.memory.readU32(0x500), undefined, 'no DMA');
	near.locked(() => near.line('first').setLevel(true));
	t.is(machine.lines.length, 2, 'no interrupt');
	t.deepEqual([scratch(), id()], [77, absent], 'the back may still look at its state');
	await stopped();
	t.deepEqual([scratch(), id()], [0, 0xc0de_1414]);
	t.deepEqual([machine.config(bus, 0, command, 2), machine.config(bus, 0, deviceControl, 2) & flr], [0, 0]);
	t.deepEqual(told, ['start', 'start', 'stop', 'start']);
	t.deepEqual(machine.lines, ['17 up', '17 down']);
	t.false(worker.poll());
});

test('resets without end stop a back once at a time', async (t) => {
	const {machine, worker, told, reset, id, stopped} = make();
	worker.start();
	for (let i = 0; i < 1000; i++) {
		reset();
		machine.setConfig(0, 8, 0x3e, 0x40, 2);
		machine.setConfig(0, 8, 0x3e, 0, 2);
		worker.poll();
	}
	t.deepEqual(told, ['start', 'start', 'stop']);
	await stopped();
	t.is(id(), 0xc0de_1414);
	t.false(worker.poll());
	t.is(told.length, 4);
});

test('a reset of the bus takes the same way', async (t) => {
	const {machine, worker, told, id, scratch, stopped} = make();
	worker.start();
	machine.setConfig(0, 8, 0x3e, 0x40, 2);
	worker.poll();
	await stopped();
	t.deepEqual([id(), scratch(), told.length], [absent, 0, 4], 'the bus is still held');
	machine.setConfig(0, 8, 0x3e, 0, 2);
	t.is(id(), 0xc0de_1414);
	machine.setConfig(0, 8, 0x3e, 0x40, 2);
	machine.setConfig(0, 8, 0x3e, 0, 2);
	t.is(id(), absent, 'released, but the back is not through');
	worker.poll();
	await stopped();
	t.is(id(), 0xc0de_1414);
});

test('a machine that stops has its resets done, those under way and those nobody has looked at', async (t) => {
	for (const looked of [true, false]) {
		const {worker, told, reset, id, scratch, stopped} = make();
		worker.start();
		reset();
		if (looked) worker.poll();
		const stop = worker.stop();
		worker.poll();
		await stopped();
		await stop;
		t.deepEqual([scratch(), id()], [0, 0xc0de_1414]);
		t.deepEqual(told, ['start', 'start', 'stop', 'stop'], 'each back once, and nothing starts');
		worker.start();
		t.false(worker.poll());
	}
});

test('what a guest asks for before the backs have started is done when they have', async (t) => {
	const {machine, worker, reset, id, stopped} = make();
	reset();
	t.false(worker.poll());
	t.is(id(), absent);
	worker.start();
	t.true(worker.poll());
	await stopped();
	t.is(id(), 0xc0de_1414);
	reset();
	machine.machine.reset();
	t.is(id(), 0xc0de_1414, 'a reset of the machine is one of all its functions');
	t.false(worker.poll());
});
