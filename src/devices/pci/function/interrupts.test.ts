import test from 'ava';
import {PciTestMachine, probe} from '#devices/pci/testing';

const bus = 2;
const [command, status] = [4, 6];
const [memoryAndMaster, intxDisable] = [6, 0x400];
const interruptStatus = 8;
const [express, msi, msix] = [0x40, 0x7c, 0x94];
/** The probe sits behind device 1 of the root bus. */
const input = 17;
const apic = 0xfee0_1000;

function make() {
	const machine = new PciTestMachine();
	machine.setConfig(bus, 0, command, memoryAndMaster, 2);
	const [registers, table] = [machine.bar(bus, 0) >>> 0, machine.bar(bus, 1) >>> 0];
	const write = (offset: number, value: number) => machine.bus.writeMmio(registers + offset, 4, value);
	return {
		machine,
		table,
		write,
		/** Sets a vector's entry and unmasks it. */
		program(vector: number, data: number) {
			for (const [index, value] of [apic, 0, data, 0].entries())
				machine.bus.writeMmio(table + 16 * vector + 4 * index, 4, value);
		},
		pending: () => machine.bus.readMmio(table + 48, 4),
	};
}

test('the capabilities lie where the list says', (t) => {
	const {machine} = make();
	const ids = [];
	for (let at = machine.config(bus, 0, 0x34, 1); at !== 0; at = machine.config(bus, 0, at + 1, 1))
		ids.push([at, machine.config(bus, 0, at, 1)]);
	t.deepEqual(ids, [
		[express, 0x10],
		[msi, 0x05],
		[msix, 0x11],
	]);
	t.is(machine.config(bus, 0, msix + 2, 2), 2, 'three vectors');
	t.deepEqual([machine.config(bus, 0, msix + 4), machine.config(bus, 0, msix + 8)], [1, 0x31]);
	t.is(machine.config(bus, 0, 0x100), 0, 'no extended capability');
});

test('without messages the lines together drive INTA at the input the bridges lead to', (t) => {
	const {machine, write} = make();
	write(probe.RAISE, 0);
	write(probe.RAISE, 1);
	write(probe.LOWER, 0);
	t.deepEqual(machine.lines, [`${input} up`]);
	t.is(machine.config(bus, 0, status, 2) & interruptStatus, interruptStatus);
	machine.setConfig(bus, 0, command, memoryAndMaster | intxDisable, 2);
	t.is(machine.config(bus, 0, status, 2) & interruptStatus, interruptStatus, 'the status does not care');
	machine.setConfig(bus, 0, command, memoryAndMaster, 2);
	write(probe.LOWER, 1);
	t.deepEqual(machine.lines, [`${input} up`, `${input} down`, `${input} up`, `${input} down`]);
	t.is(machine.config(bus, 0, status, 2) & interruptStatus, 0);
	t.is(machine.config(bus, 0, 0x3c, 2), 0x100 | input);
	t.deepEqual(machine.messages, []);
});

test('a line that rises sends its MSI-X message, and INTA is silent', (t) => {
	const {machine, write, program} = make();
	write(probe.RAISE, 2);
	machine.setConfig(bus, 0, msix + 2, 0x8000, 2);
	program(1, 0x41);
	write(probe.RAISE, 1);
	write(probe.RAISE, 1);
	write(probe.SIGNAL, 1);
	t.deepEqual(machine.messages, ['fee01000 41', 'fee01000 41'], 'the second raise is no edge');
	t.deepEqual(machine.lines, [`${input} up`, `${input} down`]);
});

test('masked vectors stay pending, and go out when mask, function mask and bus master allow it', (t) => {
	const {machine, write, program, pending, table} = make();
	machine.setConfig(bus, 0, msix + 2, 0xc000, 2);
	program(0, 0x50);
	write(probe.SIGNAL, 0);
	write(probe.SIGNAL, 2);
	write(probe.SIGNAL, 77);
	t.is(pending(), 0b101);
	machine.bus.writeMmio(table + 48, 4, 0);
	t.is(pending(), 0b101, 'pending bits are read-only');
	machine.setConfig(bus, 0, command, 2, 2);
	machine.setConfig(bus, 0, msix + 2, 0x8000, 2);
	t.is(pending(), 0b101);
	machine.setConfig(bus, 0, command, memoryAndMaster, 2);
	t.deepEqual([machine.messages, pending()], [['fee01000 50'], 0b100]);
	program(2, 0x52);
	t.deepEqual([machine.messages.at(-1), pending()], ['fee01000 52', 0]);
});

test('MSI sends the vector in the low bits of the data, as far as the guest allows', (t) => {
	const {machine, write} = make();
	t.is(machine.config(bus, 0, msi + 2, 2), 0x184, 'four vectors, 64-bit, with masks');
	machine.setConfig(bus, 0, msi + 4, apic);
	machine.setConfig(bus, 0, msi + 12, 0x60, 2);
	machine.setConfig(bus, 0, msi + 2, 0x11, 2);
	for (const vector of [0, 1, 2]) write(probe.SIGNAL, vector);
	t.deepEqual(machine.messages, ['fee01000 60', 'fee01000 61', 'fee01000 61']);
	machine.setConfig(bus, 0, msi + 16, 0b010);
	write(probe.SIGNAL, 1);
	t.is(machine.config(bus, 0, msi + 20), 0b010);
	machine.setConfig(bus, 0, msi + 16, 0);
	t.is(machine.config(bus, 0, msi + 20), 0);
	t.is(machine.messages.length, 4);
});

test('DMA is refused until the guest makes the function a bus master', (t) => {
	const {machine, write} = make();
	const fetched = () => machine.bus.readMmio((machine.bar(bus, 0) >>> 0) + probe.FETCH, 4);
	machine.setConfig(bus, 0, command, 2, 2);
	write(probe.FETCH, 0x500);
	t.is(fetched(), 0xffff_ffff);
	machine.setConfig(bus, 0, command, memoryAndMaster, 2);
	write(probe.FETCH, 0x500);
	t.is(fetched(), 0x1234_5678);
});

test('a function can be reset by itself', (t) => {
	const {machine, write, table} = make();
	t.not(machine.config(bus, 0, express + 4) & (1 << 28), 0);
	write(probe.RAISE, 0);
	write(probe.SCRATCH, 5);
	machine.bus.writeMmio(table + 8, 4, 0x77);
	const address = machine.bar(bus, 0);
	machine.setConfig(bus, 0, express + 8, 0x8000, 2);
	t.is(machine.config(bus, 0, 0x10), 0, 'BARs as well');
	t.deepEqual(machine.lines, [`${input} up`, `${input} down`]);
	t.is(machine.machine.stateOf('near')?.['scratch'], 0);
	machine.setConfig(bus, 0, 0x10, address);
	machine.setConfig(bus, 0, command, 2, 2);
	t.is(machine.bus.readMmio(address >>> 0, 4), 0);
});

test('a saved machine goes on: BARs, masks and what is pending', (t) => {
	const one = make();
	one.machine.setConfig(bus, 0, msix + 2, 0x8000, 2);
	one.write(probe.SIGNAL, 1);
	one.machine.setConfig(bus, 0, 0x10, (one.machine.bar(bus, 0) >>> 0) + 0x8000);
	const two = make();
	two.machine.machine.restore(JSON.parse(JSON.stringify(one.machine.machine.save())));
	t.is(two.machine.bus.readMmio((one.machine.bar(bus, 0) >>> 0) + probe.ID, 4), probe.idValue);
	t.is(two.pending(), 0b010);
	two.program(1, 0x99);
	t.deepEqual(two.machine.messages, ['fee01000 99']);
});
