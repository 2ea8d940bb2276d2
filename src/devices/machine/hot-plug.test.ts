import test from 'ava';
import type {DeviceInstance} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {occupancyChanged} from '#devices/pci/port';
import {PciTestMachine, probe, probeEndpoint, probeOf, usualDevices} from '#devices/pci/testing';
import {findDeviceModel} from '#devices/registry';
import {withDevice, withoutDevice} from './index.ts';

const probeModel = completeModel(probeEndpoint);
/** One that answers a register of the processor too: back ends are told of those before the first processor. */
const msrModel = completeModel({
	...probeEndpoint,
	kind: 'msr-probe',
	attach: {...probeEndpoint.attach, regions: () => [{name: 'msr', space: 'msr', base: 0x4b56_4d00, length: 1}]},
});
const findModel = (kind: string) => [probeModel, msrModel].find((one) => one.kind === kind) ?? findDeviceModel(kind);
const [slotBus, slotStatus, command] = [1, 0x40 + 0x1a, 4];
const [presentAndChanged, present] = [0x148, 0x40];

/** Two threads of one machine; what one changes the other follows. */
function make() {
	const one = new PciTestMachine();
	const two = new PciTestMachine([], one.layout);
	const change = (layout: ReturnType<typeof withDevice>, leavesZeros = false) => {
		const before = one.machine.devices;
		for (const thread of [one, two]) thread.change(layout);
		for (const device of one.machine.devices) if (!before.includes(device)) one.machine.resetDevice(device);
		one.machine.control('rp0', occupancyChanged(leavesZeros));
	};
	const add = (instance: DeviceInstance) => change(withDevice(one.machine.layout, instance, findModel, []));
	return {
		one,
		two,
		add,
		remove: (port: string, zeros?: boolean) => change(withoutDevice(one.machine.layout, port), zeros),
	};
}

test('a device that comes is there on every thread, the port says so, and it works as any other', (t) => {
	const {one, two, add} = make();
	add(probeOf('new', 'rp0'));
	t.is(one.config(0, 0, slotStatus, 2), presentAndChanged);
	for (const thread of [one, two]) t.is(thread.config(slotBus, 0, 0), 0xc0de_1414);
	const bar = (one.config(0, 0, 0x20, 2) & 0xfff0) * 0x10000;
	two.setConfig(slotBus, 0, 0x10, bar);
	two.setConfig(slotBus, 0, command, 6, 2);
	t.is(one.bus.readMmio(bar + probe.ID, 4), probe.idValue);
	one.bus.writeMmio(bar + probe.RAISE, 4, 0);
	t.deepEqual(one.lines, ['16 up']);
	t.is(two.machine.devices.find(({placed}) => placed.name === 'new')?.placed.kind, 'pci-probe');
	one.machine.reset();
	t.is(one.config(0, 0, slotStatus, 2), present, 'a reset keeps it, with an address of its own');
	t.is(two.bus.readMmio((one.bar(slotBus, 0) >>> 0) + probe.ID, 4), probe.idValue);
});

test('a device that goes answers no more, and another may come in its place, with a state of its own', (t) => {
	const {one, two, add, remove} = make();
	add(probeOf('new', 'rp0'));
	one.machine.reset();
	const bar = one.bar(slotBus, 0) >>> 0;
	one.bus.writeMmio(bar + probe.SCRATCH, 4, 77);
	remove('rp0');
	t.is(one.config(0, 0, slotStatus, 2) & present, 0);
	for (const thread of [one, two]) {
		t.is(thread.config(slotBus, 0, 0), 0xffff_ffff);
		t.is(thread.bus.readMmio(bar + probe.ID, 4), 0xffff_ffff);
	}
	add(probeOf('new', 'rp0'));
	one.machine.reset();
	t.is(two.bus.readMmio((one.bar(slotBus, 0) >>> 0) + probe.SCRATCH, 4), 0);
});

test('a device that leaves zeros has its port read so on every thread, in its windows only, until the guest moves or closes them', (t) => {
	const {one, two, add, remove} = make();
	const [memoryBase, closed] = [0x20, 0xfff0];
	add(probeOf('new', 'rp0'));
	one.machine.reset();
	const bar = one.bar(slotBus, 0) >>> 0;
	const wide = one.config(slotBus, 0, 0x1c) * 2 ** 32 + ((one.bar(slotBus, 2) & ~0xf) >>> 0);
	const [window, near] = [one.config(0, 0, memoryBase), one.bar(2, 0) >>> 0];
	remove('rp0', true);
	const reads = (address: number) => [one, two].map(({bus}) => bus.readMmio(address, 4));
	const [zeros, ones] = [0, 0xffff_ffff].map((value) => [value, value]);
	for (const place of [bar, bar + 0x14, wide, wide + 0x1000]) t.deepEqual(reads(place), zeros);
	one.bus.writeMmio(bar, 4, 5);
	t.deepEqual(reads(bar), zeros);
	t.is(one.bus.readMmio(near + probe.ID, 4), probe.idValue);
	t.is(two.config(slotBus, 0, 0), 0xffff_ffff, 'configuration space shows that it has gone');
	t.deepEqual(reads((((window & 0xfff0) << 16) >>> 0) - 0x1000), ones);
	two.setConfig(0, 0, command, 0, 2);
	t.deepEqual(reads(bar), ones, 'the port decodes no memory');
	two.setConfig(0, 0, command, 7, 2);
	t.deepEqual(reads(bar), zeros);
	two.setConfig(0, 0, memoryBase, closed, 2);
	t.deepEqual(reads(bar), ones);
	two.setConfig(0, 0, memoryBase, window, 4);
	add(probeOf('other', 'rp0'));
	t.deepEqual(reads(bar), ones, 'it has no address yet');
	remove('rp0');
	t.deepEqual(reads(bar), ones);
});

test('a device that leaves while its back does not come to rest counts as late until it has', (t) => {
	const {one, add, remove} = make();
	add(probeOf('new', 'rp0'));
	const leaving = one.machine.devices.find(({placed}) => placed.name === 'new');
	if (leaving === undefined) return t.fail();
	leaving.header.late = 1;
	remove('rp0');
	add(probeOf('other', 'rp0'));
	t.deepEqual(one.machine.late, [leaving]);
	leaving.header.late = 0;
	t.deepEqual(one.machine.late, []);
});

test('other devices keep their state while one comes and goes', (t) => {
	const {one, two, add, remove} = make();
	const bar = one.bar(2, 0) >>> 0;
	one.bus.writeMmio(bar, 4, 5);
	add(probeOf('new', 'rp0'));
	t.is(two.bus.readMmio(bar, 4), 5);
	remove('rp0');
	t.is(two.bus.readMmio(bar, 4), 5);
	two.bus.writePort(0xcf8, 4, 0x8002_0000);
	t.is(one.bus.readPort(0xcfc, 4), 0xc0de_1414);
});

test('a snapshot of a machine that a device has come to goes on in one that is started with it, and the other way', (t) => {
	const {one, add, remove} = make();
	const cold = () => new PciTestMachine([...usualDevices, probeOf('new', 'rp0')]);
	add(probeOf('new', 'rp0'));
	one.machine.reset();
	one.bus.writeMmio((one.bar(slotBus, 0) >>> 0) + probe.SCRATCH, 4, 77);
	one.bus.writeMmio((one.bar(slotBus, 0) >>> 0) + probe.RAISE, 4, 0);
	const started = cold();
	started.machine.restore(one.machine.save());
	t.is(started.bus.readMmio((started.bar(slotBus, 0) >>> 0) + probe.SCRATCH, 4), 77);
	started.bus.writeMmio((started.bar(slotBus, 0) >>> 0) + probe.LOWER, 4, 0);
	t.deepEqual(started.lines, ['16 down']);
	remove('rp0');
	add(probeOf('new', 'rp0'));
	t.notThrows(() => one.machine.restore(started.machine.save()));
	const without = new PciTestMachine();
	remove('rp0');
	t.notThrows(() => without.machine.restore(one.machine.save()));
});

const refused: [string, string, (subject: ReturnType<typeof make>) => void][] = [
	['a port without a slot', 'HOT_PLUG_NO_SLOT', ({add}) => add(probeOf('new', 'rp1'))],
	[
		'a slot that is full',
		'HOT_PLUG_SLOT_FULL',
		({add}) => ['a', 'b'].forEach((name) => void add(probeOf(name, 'rp0'))),
	],
	['an unknown kind', 'HOT_PLUG_KIND_UNKNOWN', ({add}) => add({...probeOf('x', 'rp0'), kind: 'none'})],
	[
		'a device that claims registers of the processor',
		'HOT_PLUG_FIXED',
		({add}) => add({...probeOf('x', 'rp0'), kind: msrModel.kind}),
	],
	['a name that is taken', 'HOT_PLUG_NAME_TAKEN', ({add}) => add(probeOf('near', 'rp0'))],
	[
		'a device that is no function',
		'PCI_NOT_A_FUNCTION',
		({add}) => add({...probeOf('x', 'rp0'), kind: 'latch', config: {port: 0x500}}),
	],
	['to empty a slot that is empty', 'HOT_PLUG_SLOT_EMPTY', ({remove}) => remove('rp0')],
	['to empty what is no slot', 'HOT_PLUG_NO_SLOT', ({remove}) => remove('rp1')],
];
for (const [what, code, act] of refused) {
	test(`${what} is refused`, (t) => {
		t.throws(() => act(make()), {code});
	});
}

test('functions that share a slot stay there', (t) => {
	const several = [...usualDevices, probeOf('zero', 'rp0'), probeOf('one', 'rp0', 1)];
	const {layout} = new PciTestMachine(several);
	t.throws(() => withoutDevice(layout, 'rp0'), {code: 'HOT_PLUG_SEVERAL', message: /zero, one/});
});
