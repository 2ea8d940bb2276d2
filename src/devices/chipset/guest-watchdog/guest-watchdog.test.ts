import test from 'ava';
import {AcpiNames} from '#devices/acpi';
import {DeviceUnderTest} from '#devices/testing';
import {guestWatchdog, guestWatchdogPort, guestWatchdogType, watchdogReset} from './index.ts';

const second = 1e9;

function make() {
	const device = new DeviceUnderTest(guestWatchdog, {port: guestWatchdogPort});
	const select = (register: number) => device.out(0x30, register, 4);
	const read = (register: number) => {
		select(register);
		return device.in(0x34, 4);
	};
	const write = (register: number, value: number) => {
		select(register);
		device.out(0x34, value, 4);
	};
	const back = device.startBack();
	const pass = (seconds: number) => {
		device.reactor.turn(0);
		for (let i = 0; i < seconds; i++) {
			device.nowNs += second;
			device.reactor.turn(second);
		}
	};
	return {device, back, read, write, pass};
}

test('registers have the values that OpenVMM gives them', (t) => {
	const {device, read} = make();
	t.deepEqual([read(0x27), read(0x28), read(0x29)], [0, 1, 120]);
	t.is(read(0x26), 0xffff_ffff, 'there is no such register');
	t.is(device.in(0x30, 4), 0x26);
	t.is(device.in(0x34, 2), 0xffff, 'only 32-bit accesses count');
});

test('a watchdog that is started and left alone fires once, after its count', (t) => {
	const {device, read, write, pass} = make();
	write(0x29, 5);
	write(0x27, 3);
	pass(4);
	t.deepEqual(device.events, []);
	pass(2);
	t.deepEqual(device.events, [{kind: 'watchdog'}]);
	t.is(read(0x27), 0, 'it is off');
	pass(20);
	t.is(device.events.length, 1);
});

test('each start begins anew, and stopping ends it', (t) => {
	const {device, write, pass} = make();
	write(0x29, 3);
	for (let i = 0; i < 4; i++) {
		write(0x27, 3);
		pass(2);
	}
	t.deepEqual(device.events, []);
	write(0x27, 1);
	pass(10);
	t.deepEqual(device.events, []);
});

test('a configuration with unknown bits is refused', (t) => {
	const {read, write} = make();
	write(0x27, 0x03);
	write(0x27, 0x40);
	t.is(read(0x27), 0x03);
	write(0x28, 7);
	t.is(read(0x28), 1, 'the resolution is fixed');
});

test('the boot status tells of a reset by the watchdog until it is written as one', (t) => {
	const {device, read, write} = make();
	device.control(watchdogReset);
	t.is(read(0x27), 0x100);
	write(0x27, 0x01);
	t.is(read(0x27), 0x101);
	write(0x27, 0x101);
	t.is(read(0x27), 0x01);
});

test('VM time that stands still does not count', (t) => {
	const {device, write, pass} = make();
	write(0x29, 2);
	write(0x27, 3);
	pass(1);
	for (let i = 0; i < 10; i++) device.reactor.turn(second);
	t.deepEqual(device.events, []);
	pass(2);
	t.deepEqual(device.events, [{kind: 'watchdog'}]);
});

test('VM time that a resume catches up does not count: the guest had no chance to say anything', async (t) => {
	const {device, back, write, pass} = make();
	write(0x29, 5);
	write(0x27, 3);
	pass(3);
	await back.stop();
	device.catchUp(7 * 86_400 * second);
	back.start();
	pass(1);
	t.deepEqual(device.events, []);
	pass(2);
	t.deepEqual(device.events, [{kind: 'watchdog'}]);
});

test('each action of its ACPI table selects a register and then does something with it', (t) => {
	const {table} = guestWatchdogType.acpi?.({port: guestWatchdogPort}, new AcpiNames(), {}) ?? {};
	const hex = (from: number, to: number) => Buffer.from(table?.body.slice(from, to) ?? []).toString('hex');
	t.is(hex(0, 32), '20000000' + 'ff00ffffff000000' + 'e8030000' + 'ffff0000' + '01000000' + '01000000' + '12000000');
	t.deepEqual([table?.signature, table?.body.length], ['WDAT', 32 + 18 * 24]);
	const entry = (index: number) => hex(32 + 24 * index, 56 + 24 * index);
	t.is(entry(0), '01020000' + '01200003' + '3000000000000000' + '27000000' + 'ffffffff');
	t.is(entry(1), '01020000' + '01200003' + '3400000000000000' + '03000000' + 'ffffffff');
	t.is(entry(5), '06030000' + '01200003' + '3400000000000000' + '00000000' + 'ffffffff', 'set the countdown');
});
