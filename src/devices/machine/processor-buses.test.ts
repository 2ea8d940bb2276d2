import test from 'ava';
import type {DeviceInstance, DeviceModel, Halves, Hypercall} from '#devices/device';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {completeModel} from '#devices/pci/function';
import {oneThreadMachine} from '#devices/testing';
import {MailboxCaller} from '#support/mailbox';
import {f64, wire} from '#support/wire';
import {AttachedMachine} from './index.ts';

const State = wire('synthetic', {low: f64, high: f64});

/** Registers 0x40000000 and 0x40000001, of which the second reads only, the call 0x5c, and a port that tells who asks. */
const synthetic: DeviceModel<object, typeof State.fields> = {
	kind: 'synthetic',
	state: State,
	attach: {
		regions: () => [
			{space: 'msr', name: 'registers', base: 0x4000_0000, length: 2},
			{space: 'hypercall', name: 'post-message', base: 0x5c, length: 1},
			{space: 'pio', name: 'who', base: 0x500, length: 1},
		],
	},
	front: (_config, state, {access}) => ({
		read: () => access.vp ?? 0xff,
		write() {},
		readMsr(_region: number, offset: number, value: Halves) {
			value.low = offset === 1 ? (access.vp ?? 0) : state.low;
			value.high = offset === 1 ? 0 : state.high;
			return true;
		},
		writeMsr(_region: number, offset: number, value: Halves) {
			if (offset === 1) return false;
			state.low = value.low;
			state.high = value.high;
			return true;
		},
		hypercall(_region: number, _offset: number, {input, result}: Hypercall) {
			result.low = input.low + 1;
		},
	}),
};
const device = (more: Partial<DeviceInstance> = {}): DeviceInstance => ({
	name: 'synic',
	kind: synthetic.kind,
	config: {},
	...more,
});
const findModel = () => completeModel(synthetic);
const nowhere = {interrupts: tellingInterrupts(), memory: new MappedMemory(plainMemory())};
const quiet = {read: (msr: number) => msr === 0x88, write: (msr: number) => msr === 0x88};
const halves = (low = 0, high = 0): Halves => ({low, high});

test('a register reaches the device that claims it, then the fallback, and else faults and is counted', (t) => {
	const {machine} = oneThreadMachine([device()], {findModel});
	const msrs = machine.msrs(quiet);
	const value = halves(0xffff_ffff, 0x8000_0000);
	t.true(msrs.write(0x4000_0000, value));
	const read = halves();
	t.true(msrs.read(0x4000_0000, read));
	t.deepEqual(read, value);
	t.false(msrs.write(0x4000_0001, value), 'the device refuses');
	t.true(msrs.read(0x88, read) && msrs.write(0x88, read));
	t.false(msrs.read(0xffff_ffff, read) || msrs.write(0xffff_ffff, read) || msrs.read(0x4000_0002, read));
	t.deepEqual(machine.unclaimed.list(), [
		{space: 'msr', address: 0xffff_ffff, count: 2},
		{space: 'msr', address: 0x4000_0002, count: 1},
	]);
});

test('a hypercall reaches the device that claims its code; others have the status that Hyper-V gives them', (t) => {
	const {machine} = oneThreadMachine([device()], {findModel});
	const calls = machine.hypercalls();
	const call = {control: halves(0x1_005c, 5), input: halves(41), output: halves(), result: halves(9, 9)};
	calls.call(call);
	t.deepEqual(call.result, halves(42));
	call.control.low = 0x5d;
	calls.call(call);
	t.deepEqual(call.result, halves(2));
	t.deepEqual(machine.unclaimed.list(), [{space: 'hypercall', address: 0x5d, count: 1}]);
});

test('guests that scan all registers are counted in bounded space', (t) => {
	const {machine} = oneThreadMachine([], {findModel});
	const msrs = machine.msrs(quiet);
	for (let msr = 0x1000; msr < 0x2000; msr++) msrs.read(msr, halves());
	const counted = machine.unclaimed.list().length;
	t.true(counted <= 256);
	t.is(machine.unclaimed.overflow('msr'), 0x1000 - counted);
});

test('a device learns which processor accesses it, whatever thread serves it', (t) => {
	const {machine, layout, bus, mailbox} = oneThreadMachine([device()], {findModel});
	t.is(bus.readPort(0x500, 1), 0xff, 'no processor');
	const ofSecond = new AttachedMachine(layout, {...nowhere, findModel, vp: 1});
	t.is(ofSecond.bus(new MailboxCaller(mailbox, 0, {spins: 1, patienceMs: 1})).readPort(0x500, 1), 1);
	t.is(machine.access.vp, undefined);
});

test('two devices cannot have one register', (t) => {
	const two = [device(), device({name: 'other'})];
	const error = t.throws(() => oneThreadMachine(two, {findModel}), {code: 'BUS_REGION_OVERLAP'});
	t.regex(error.message, /msr 0x40000000-0x40000001.*hypercall 0x5c/s);
});
