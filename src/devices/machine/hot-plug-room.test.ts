import test from 'ava';
import type {DeviceInstance, DeviceModel, PciBar} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {upstreamPortKind} from '#devices/pci/port';
import type {RootComplexConfig} from '#devices/pci/root-complex';
import {complexOf, PciTestMachine, rootPortOf, testComplex} from '#devices/pci/testing';
import {findDeviceModel} from '#devices/registry';
import {u32, wire} from '#support/wire';
import {type MachineLayout, withDevice, withoutDevice} from './index.ts';

const mib = 2 ** 20;
const State = wire('wide', {word: u32});

/** A function with one BAR, which its configuration says. */
const wide: DeviceModel<PciBar, (typeof State)['fields'], 'pci'> = {
	kind: 'wide',
	state: State,
	attach: {pci: {vendor: 0x1414, device: 0xc0de, class: 0xff_0000, moreBars: (bar) => [bar]}},
	front: () => ({read: () => 0x55, write() {}}),
};
const model = completeModel(wide);
const findModel = (kind: string) => (kind === model.kind ? model : findDeviceModel(kind));

const wideOf = (name: string, on: string, bar: Partial<PciBar>): DeviceInstance => ({
	...{name, kind: wide.kind, place: {on, devfn: 0}},
	config: {index: 0, size: 4096, ...bar} satisfies PciBar,
});

/** A machine with five slots, and what its owner does. */
function make(complex: Partial<RootComplexConfig> = {}, others: readonly DeviceInstance[] = []) {
	const slots = [0, 1, 2, 3, 4].map((index) => rootPortOf(`s${index}`, index, {slot: index + 1}));
	const test = new PciTestMachine([complexOf(complex), ...slots, ...others], undefined, model);
	const change = (layout: MachineLayout) => {
		const before = test.machine.devices;
		test.change(layout);
		for (const device of test.machine.devices) if (!before.includes(device)) test.machine.resetDevice(device);
	};
	return {
		test,
		add: (instance: DeviceInstance) => change(withDevice(test.machine.layout, instance, findModel, [])),
		remove: (port: string) => change(withoutDevice(test.machine.layout, port)),
		/** A reset, and what it gives the devices that are named, in MiB from the window's beginning. */
		reset: (...names: string[]) => {
			test.machine.reset();
			return names.map((name) => {
				const found = test.machine.pci?.complexes.flatMap(({bus}) => bus.functions).find((each) => each.name === name);
				const bridge = found?.space.read(0x19, 1) ?? 0;
				return (test.bar(bridge, 0) >>> 0) - testComplex.lowMmio.gpa;
			});
		},
	};
}

test('a BAR that is larger than the window is refused, and the next reset finds the machine as it was', (t) => {
	const {test: guest, add, reset} = make();
	const before = guest.machine.layout;
	const error = t.throws(() => add(wideOf('big', 's0', {size: 128 * mib})), {code: 'HOT_PLUG_NO_ROOM'});
	t.regex(
		error?.message ?? '',
		/no room for big at s0: .* behind rc0 needs 0x8000000 bytes .* below 4 GiB, .* 0x4000000/,
	);
	t.is(guest.machine.layout, before);
	t.notThrows(() => reset());
});

test('devices that fit alone and not together: the one that comes last is refused, until another goes', (t) => {
	const {add, remove, reset} = make();
	add(wideOf('one', 's0', {size: 32 * mib}));
	add(wideOf('two', 's1', {size: 16 * mib}));
	t.throws(() => add(wideOf('three', 's2', {size: 32 * mib})), {code: 'HOT_PLUG_NO_ROOM'});
	t.deepEqual(reset('s0', 's1'), [0, 32 * mib]);
	remove('s0');
	add(wideOf('three', 's2', {size: 32 * mib}));
	t.deepEqual(reset('s1', 's2'), [32 * mib, 0]);
	add(wideOf('four', 's3', {size: 16 * mib}));
	t.throws(() => add(wideOf('five', 's4', {})), {code: 'HOT_PLUG_NO_ROOM'}, 'a whole window of the bridge');
});

test('a bridge passes on whole MiB, so that small BARs can be too many', (t) => {
	const {add, reset} = make({lowMmio: {gpa: testComplex.lowMmio.gpa, length: 3 * mib}});
	for (const index of [0, 1, 2]) add(wideOf(`d${index}`, `s${index}`, {}));
	t.throws(() => add(wideOf('d3', 's3', {})), {code: 'HOT_PLUG_NO_ROOM', message: /0x400000 bytes .* 0x300000 bytes/});
	t.deepEqual(reset('s0', 's1', 's2'), [0, mib, 2 * mib]);
});

test('a window that is not aligned as a BAR must be has less room than bytes', (t) => {
	const lowMmio = {gpa: testComplex.lowMmio.gpa + mib, length: 63 * mib};
	t.throws(() => make({lowMmio}).add(wideOf('one', 's0', {size: 64 * mib})), {code: 'HOT_PLUG_NO_ROOM'});
	const most = make({lowMmio});
	most.add(wideOf('one', 's0', {size: 32 * mib}));
	t.deepEqual(most.reset('s0'), [32 * mib]);
});

test('prefetchable memory has a window of its own, or the other one', (t) => {
	const prefetchable = (name: string, on: string, size: number) => wideOf(name, on, {size, kind: 'prefetchable'});
	const {add} = make();
	add(wideOf('low', 's0', {size: 64 * mib}));
	add(prefetchable('high', 's1', 512 * mib));
	add(prefetchable('high too', 's2', 512 * mib));
	const error = t.throws(() => add(prefetchable('more', 's3', mib)), {code: 'HOT_PLUG_NO_ROOM'});
	t.regex(error?.message ?? '', /above 4 GiB/);
	t.throws(() => add(wideOf('wide', 's3', {kind: 'memory64'})), {message: /below 4 GiB/}, '64 bits do not suffice');
	const without = make({highMmio: {gpa: 0, length: 0}});
	without.add(prefetchable('one', 's0', 64 * mib));
	t.throws(() => without.add(wideOf('two', 's1', {})), {code: 'HOT_PLUG_NO_ROOM', message: /below 4 GiB/});
});

test('ports and buses run out as well', (t) => {
	const {add} = make({ports: {base: 0x1000, length: 0x2000}});
	for (const index of [0, 1]) add(wideOf(`d${index}`, `s${index}`, {size: 32, kind: 'io'}));
	t.throws(() => add(wideOf('d2', 's2', {size: 32, kind: 'io'})), {message: /needs 0x3000 I\/O ports/});
	const narrow = make({endBus: 5});
	const bridge = {acs: 0, prefixes: false};
	const upstream = {name: 'sw', kind: upstreamPortKind, config: bridge} as const;
	t.throws(() => narrow.add({...upstream, place: {on: 's0', devfn: 0}}), {message: /needs 7 buses, and there are 6/});
});

test('what does not fit at a reset has no address and decodes nothing; what came first has its place', (t) => {
	const devices = [
		...[0, 1, 2].map((index) => rootPortOf(`p${index}`, index)),
		wideOf('first', 'p0', {size: 16 * mib}),
		wideOf('big', 'p1', {size: 32 * mib}),
		wideOf('small', 'p2', {}),
	];
	const {layout} = new PciTestMachine([complexOf(), ...devices], undefined, model);
	const lowMmio = {gpa: testComplex.lowMmio.gpa, length: 32 * mib};
	const shrunk = layout.devices.map((device) =>
		device.name === 'rc0' ? {...device, config: {...testComplex, lowMmio, endBus: 2}} : device,
	);
	const guest = new PciTestMachine([], {...layout, devices: shrunk}, model);
	t.notThrows(() => guest.machine.reset());
	const [command, memory] = [4, 1 << 1];
	t.deepEqual([guest.bar(1, 0) >>> 0, guest.config(1, 0, command, 2) & memory], [lowMmio.gpa, memory]);
	t.deepEqual([guest.bar(2, 0), guest.config(2, 0, command, 2) & memory], [0, 0]);
	t.is(guest.config(0, 2 * 8, 0x18), 0, 'a bridge without a bus');
	t.is(guest.bus.readMmio(lowMmio.gpa, 4), 0x55);
});
