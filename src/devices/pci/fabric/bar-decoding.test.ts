import test from 'ava';
import {PciTestMachine, probe, testComplex} from '#devices/pci/testing';

const [near, far] = [2, 6];
const command = 4;

test('BARs have addresses at power-on, in the windows of all bridges above them', (t) => {
	const machine = new PciTestMachine();
	for (const bus of [near, far]) {
		const bar = machine.bar(bus, 0) >>> 0;
		t.is(machine.bus.readMmio(bar + probe.ID, 4), probe.idValue);
		const prefetchable = machine.config(bus, 0, 0x1c) * 2 ** 32 + (machine.bar(bus, 2) >>> 0);
		t.true(prefetchable >= testComplex.highMmio.gpa);
		t.is(machine.bus.readMmio(prefetchable + 7, 1), 7);
		const ports = machine.config(bus, 0, 0x20) & ~3;
		machine.bus.writePort(ports, 4, 0xabc + bus);
		t.is(machine.bus.readPort(ports, 4), 0xabc + bus);
	}
});

test('a BAR is sized by writing ones', (t) => {
	const machine = new PciTestMachine();
	machine.setConfig(near, 0, command, 0, 2);
	const size = (index: number) => {
		machine.setConfig(near, 0, 0x10 + 4 * index, 0xffff_ffff);
		return machine.config(near, 0, 0x10 + 4 * index);
	};
	t.deepEqual([0, 1, 2, 3, 4, 5].map(size), [0xffff_f000, 0xffff_f000, 0xffff_000c, 0xffff_ffff, 0xffff_ffe1, 0]);
});

test('a BAR that the guest moves answers at its new place, on every thread, and no longer at the old', (t) => {
	const machine = new PciTestMachine();
	const other = new PciTestMachine([], machine.layout);
	const old = machine.bar(near, 0) >>> 0;
	const moved = old + 0x8000;
	t.is(other.bus.readMmio(old + probe.ID, 4), probe.idValue);
	machine.setConfig(near, 0, 0x10, moved);
	for (const {bus} of [machine, other]) {
		t.is(bus.readMmio(moved + probe.ID, 4), probe.idValue);
		t.is(bus.readMmio(old + probe.ID, 4), 0xffff_ffff);
	}
});

test('only what moves BARs has every thread look at them again', (t) => {
	const machine = new PciTestMachine();
	const generation = new Int32Array(machine.layout.decode);
	const moves = (bus: number, devfn: number, offset: number, value: number) => {
		const before = generation[0];
		machine.setConfig(bus, devfn, offset, value, 2);
		return generation[0] !== before;
	};
	const [deviceControl, msixControl, slotControl] = [0x48, 0x96, 0x58];
	t.deepEqual([moves(near, 0, deviceControl, 0), moves(near, 0, msixControl, 0x8000)], [false, false]);
	t.true(moves(near, 0, command, 0));
	t.true(moves(0, 0, slotControl, 0x400), 'the power of a slot');
});

test('the command register turns memory and ports on and off, also in the bridges above', (t) => {
	const machine = new PciTestMachine();
	const bar = machine.bar(far, 0) >>> 0;
	const ports = machine.config(far, 0, 0x20) & ~3;
	const answers = () => [
		machine.bus.readMmio(bar + probe.ID, 4) === probe.idValue,
		machine.bus.readPort(ports, 4) === 0,
	];
	t.deepEqual(answers(), [true, true]);
	machine.setConfig(far, 0, command, 2, 2);
	t.deepEqual(answers(), [true, false]);
	machine.setConfig(far, 0, command, 1, 2);
	t.deepEqual(answers(), [false, true]);
	machine.setConfig(far, 0, command, 3, 2);
	machine.setConfig(0, 16, command, 1, 2);
	t.deepEqual(answers(), [false, true]);
	machine.setConfig(0, 16, command, 3, 2);
	machine.setConfig(3, 0, 0x20, 0x0000_fff0);
	t.deepEqual(answers(), [false, true], 'a closed window passes nothing on');
});

test('where BARs overlap the lower number answers, and the other where it is alone', (t) => {
	const machine = new PciTestMachine();
	const [a, b] = [machine.bar(near, 0) >>> 0, machine.bar(near, 1) >>> 0];
	machine.bus.writeMmio(a, 4, 0x1111);
	machine.setConfig(near, 0, 0x14, a);
	t.is(machine.bus.readMmio(a, 4), 0x1111, 'register 0 wins over register 1');
	t.is(machine.bus.readMmio(b, 4), 0xffff_ffff);
	machine.setConfig(near, 0, 0x10, b);
	t.is(machine.bus.readMmio(a, 4), 0, 'the MSI-X table is back');
});

test('BARs over RAM, over other devices, across a border or beyond any window answer nothing and harm nothing', (t) => {
	const machine = new PciTestMachine();
	const low = testComplex.lowMmio;
	for (const address of [0, 0x1000, 0xfee0_0000, 0xffff_f000, low.gpa - 0x1000, low.gpa + low.length]) {
		machine.setConfig(near, 0, 0x10, address);
		t.is(machine.bus.readMmio(address + probe.ID, 4), 0xffff_ffff);
	}
	for (const [upper, lower] of [
		[0xffff_ffff, 0xffff_0000],
		[0x8000_0000, 0],
		[0x40, 0x4000_0000],
	] as const) {
		machine.setConfig(near, 0, 0x1c, upper);
		machine.setConfig(near, 0, 0x18, lower);
		t.is(machine.bus.readMmio(upper * 2 ** 32 + lower, 4), 0xffff_ffff);
	}
	t.is(
		machine.machine.unclaimed.list().every(({count}) => count > 0),
		true,
	);
});

test('an access that is not aligned is served byte by byte, by whoever has each', (t) => {
	const machine = new PciTestMachine();
	const bar = machine.bar(near, 0) >>> 0;
	machine.bus.writeMmio(bar, 4, 0x4433_2211);
	t.is(machine.bus.readMmio(bar - 2, 4) & 0xffff, 0xffff, 'nobody is before it');
	t.is(machine.bus.readMmio(bar - 2, 4) >>> 16, 0x1111, 'each byte is an access of its own');
});

test('every thread follows a hundred thousand random moves alike, and no address answers for a BAR that is not there', (t) => {
	const machine = new PciTestMachine();
	const other = new PciTestMachine([], machine.layout);
	let seed = 1;
	const below = (limit: number) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * limit);
	};
	const functions = [
		[0, 0],
		[0, 8],
		[0, 16],
		[near, 0],
		[3, 0],
		[4, 0],
		[4, 8],
		[far, 0],
	] as const;
	const addresses = [0xe000_0000, 0xe010_0000, 0xe020_0000, 0xe000_1000, 0x40_0000_0000, 0x40_0010_0000];
	for (let step = 0; step < 100_000; step++) {
		const [bus, devfn] = functions[below(functions.length)] as readonly [number, number];
		const value = below(3) === 0 ? below(2 ** 32) : (addresses[below(addresses.length)] as number) % 2 ** 32;
		machine.setConfig(bus, devfn, below(0x40) & ~3, value);
		const at = (addresses[below(addresses.length)] as number) + below(0x40) * 4;
		const answers = [machine.bus.readMmio(at, 4), other.bus.readMmio(at, 4)];
		if (answers[0] !== answers[1]) t.is(answers[0], answers[1], `step ${step}`);
	}
	machine.machine.reset();
	t.is(other.bus.readMmio((machine.bar(near, 0) >>> 0) + probe.ID, 4), probe.idValue);
});
