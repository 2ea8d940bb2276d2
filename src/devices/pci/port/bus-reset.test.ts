import test from 'ava';
import {PciTestMachine, probe} from '#devices/pci/testing';

const control = 0x3e;
const held = 0x40;
const [command, express] = [4, 0x40];
const [linkControlAndStatus, slotStatus] = [express + 0x10, express + 0x1a];
const linkActive = 0x2000_0000;
const absent = 0xffff_ffff;
/** Device 1 leads to a device on bus 2, device 2 to a switch with buses 3 to 6, whose last has a device. */
const [toNear, toSwitch] = [8, 16];
const functionIds = [0xc0de_1414, 0xc031_1414, 0xc032_1414, 0xc0de_1414] as const;

function make() {
	const machine = new PciTestMachine();
	const scratch = (bus: number) => (machine.bar(bus, 0) >>> 0) + probe.SCRATCH;
	for (const bus of [2, 6] as const) {
		machine.setConfig(bus, 0, command, 6, 2);
		machine.bus.writeMmio(scratch(bus), 4, 77);
	}
	return {
		machine,
		scratch,
		/** Sets and clears the bit of a bridge. */
		hold: (bus: number, devfn: number) => machine.setConfig(bus, devfn, control, held, 2),
		release: (bus: number, devfn: number) => machine.setConfig(bus, devfn, control, 0, 2),
		state: (name: string) => machine.machine.stateOf(name)?.['scratch'],
		/** Ids of the functions on buses 2, 3, 4 and 6. */
		ids: () => [2, 3, 4, 6].map((bus) => machine.config(bus, 0, 0)),
	};
}

test('while a bus is held in reset nothing on it answers; afterwards its function is as at power-on', (t) => {
	const {machine, scratch, hold, release, state, ids} = make();
	const [address, table] = [machine.bar(2, 0), machine.bar(2, 1) >>> 0];
	machine.bus.writeMmio(table + 12, 4, 0);
	machine.bus.writeMmio(scratch(2) + probe.RAISE, 4, 0);
	t.deepEqual(machine.lines, ['17 up']);
	hold(0, toNear);
	t.deepEqual(ids(), [absent, ...functionIds.slice(1)]);
	t.is(machine.bus.readMmio((address >>> 0) + probe.ID, 4), absent);
	t.deepEqual(machine.lines, ['17 up', '17 down']);
	t.is(state('near'), 0);
	machine.setConfig(2, 0, command, 6, 2);
	machine.bus.writeMmio((address >>> 0) + probe.SCRATCH, 4, 5);
	release(0, toNear);
	t.deepEqual(ids(), functionIds);
	t.deepEqual([machine.config(2, 0, command, 2), machine.config(2, 0, 0x10)], [0, 0], 'what was written was lost');
	t.is(machine.bus.readMmio((address >>> 0) + probe.ID, 4), absent, 'its BARs are gone');
	machine.setConfig(2, 0, 0x10, address);
	machine.setConfig(2, 0, 0x14, table);
	machine.setConfig(2, 0, command, 2, 2);
	t.is(machine.bus.readMmio(scratch(2), 4), 0);
	t.is(machine.bus.readMmio(table + 12, 4), 1, 'vectors are masked');
	t.is(state('far'), 77);
});

test('a reset reaches through the bridges below, which forget their buses and windows', (t) => {
	const {machine, hold, release, state, ids} = make();
	const [upstream, downstream] = [machine.config(3, 0, 0x18), machine.config(4, 8, 0x18)];
	hold(4, 8);
	hold(0, toSwitch);
	t.deepEqual(ids(), [functionIds[0], absent, absent, absent]);
	t.is(state('far'), 0);
	release(0, toSwitch);
	t.deepEqual(ids(), [functionIds[0], functionIds[1], absent, absent], 'the switch has no bus numbers');
	t.is(machine.config(3, 0, 0x20), 0x0000_fff0, 'a closed window');
	machine.setConfig(3, 0, 0x18, upstream);
	machine.setConfig(4, 8, 0x18, downstream);
	t.is(machine.config(4, 8, control, 2), 0, 'a bridge below holds nothing any more');
	t.deepEqual(ids(), functionIds);
	t.is(state('near'), 77);
});

test('the upstream port of a switch resets its ports and what they lead to', (t) => {
	const {machine, hold, release, state} = make();
	hold(3, 0);
	t.deepEqual([machine.config(4, 8, 0), machine.config(6, 0, 0)], [absent, absent]);
	release(3, 0);
	t.is(machine.config(4, 8, 0), 0xc032_1414);
	t.is(machine.config(4, 8, 0x18), 0);
	t.is(state('far'), 0);
	t.is(machine.config(3, 0, 0x18), 0x06_04_03, 'itself it keeps');
});

test('the link of a port is down meanwhile, which a slot takes note of', (t) => {
	const {machine, hold, release} = make();
	const link = () => machine.config(0, toNear, linkControlAndStatus) & linkActive;
	hold(0, toNear);
	t.is(link(), 0);
	release(0, toNear);
	t.is(link(), linkActive);
	t.is(machine.config(0, toNear, slotStatus, 2), 0, 'not without a slot');
	hold(0, 0);
	release(0, 0);
	t.is(machine.config(0, 0, slotStatus, 2), 0, 'an empty slot has no link to lose');
});

test('only the beginning of a reset resets, however often the bit is written, and no bus number leads around it', (t) => {
	const {machine, hold, release, state, scratch} = make();
	hold(0, toNear);
	const {near} = Object.fromEntries(machine.machine.devices.map((device) => [device.placed.name, device]));
	near?.target.front.write(0, probe.SCRATCH, 4, 3);
	for (let i = 0; i < 1000; i++) hold(0, toNear);
	t.is(state('near'), 3);
	machine.setConfig(0, toNear, 0x18, 0x09_02_00);
	for (const bus of [2, 7, 8, 9]) t.is(machine.config(bus, 0, 0), absent);
	for (let i = 0; i < 1000; i++) {
		release(0, toNear);
		hold(0, toNear);
		hold(0, 0);
		release(0, 0);
		hold(0, toSwitch);
		release(0, toSwitch);
	}
	t.is(state('near'), 0);
	release(0, toNear);
	t.is(machine.config(2, 0, 0), functionIds[0]);
	t.is(machine.bus.readMmio(scratch(2), 4), absent);
});

test('a machine that is saved while a bus is in reset goes on there', (t) => {
	const {machine, hold, ids} = make();
	hold(0, toNear);
	const other = make();
	other.machine.machine.restore(JSON.parse(JSON.stringify(machine.machine.save())));
	t.deepEqual(other.ids(), ids());
	other.release(0, toNear);
	t.deepEqual(other.ids(), functionIds);
});
