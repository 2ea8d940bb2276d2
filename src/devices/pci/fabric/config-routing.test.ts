import test from 'ava';
import {complexOf, PciTestMachine, probeOf, rootPortOf, switchOf, usualDevices} from '#devices/pci/testing';
import {describeFunctions} from './index.ts';

const vendorAndDevice = (machine: PciTestMachine, bus: number, devfn = 0) => machine.config(bus, devfn, 0).toString(16);

test('buses are numbered depth first, and ECAM reaches every function and nothing else', (t) => {
	const machine = new PciTestMachine();
	t.deepEqual(
		[0, 8, 16, 24].map((devfn) => vendorAndDevice(machine, 0, devfn)),
		['c0301414', 'c0301414', 'c0301414', 'ffffffff'],
	);
	t.is(vendorAndDevice(machine, 1), 'ffffffff', 'an empty slot has a bus');
	t.is(vendorAndDevice(machine, 2), 'c0de1414');
	t.is(vendorAndDevice(machine, 3), 'c0311414');
	t.deepEqual(
		[0, 8, 16].map((devfn) => vendorAndDevice(machine, 4, devfn)),
		['c0321414', 'c0321414', 'ffffffff'],
	);
	t.is(vendorAndDevice(machine, 6), 'c0de1414');
	t.is(vendorAndDevice(machine, 6, 8), 'ffffffff', 'a port leads to device 0 alone');
	t.is(machine.config(0, 16, 0x18, 4) & 0xffffff, 0x06_03_00, 'primary, secondary and subordinate bus');
	t.true((machine.machine.stateOf('rc0')?.['absent'] as number) > 0);
});

test('inspect lists functions with their numbers and BARs, as the guest has them now', (t) => {
	const machine = new PciTestMachine();
	machine.setConfig(2, 0, 4, 0, 2);
	const found = describeFunctions(machine.machine.pci?.complexes ?? []);
	const lines = found.map(({name, address, buses = '', on}) => `${name} ${address} ${buses} ${on.join()}`);
	t.deepEqual(lines, [
		'rp0 0000:00:00.0 01-01 io,memory,master',
		'rp1 0000:00:01.0 02-02 io,memory,master',
		'near 0000:02:00.0  ',
		'rp2 0000:00:02.0 03-06 io,memory,master',
		'sw 0000:03:00.0 04-06 io,memory,master',
		'sw-0 0000:04:00.0 05-05 io,memory,master',
		'sw-1 0000:04:01.0 06-06 io,memory,master',
		'far 0000:06:00.0  io,memory',
	]);
	const decoded = (name: string) => found.find((each) => each.name === name)?.bars.map((bar) => bar.decoded);
	t.deepEqual([decoded('near'), decoded('far')], [Array(4).fill(false), Array(4).fill(true)]);
});

test('CF8 and CFC reach the same functions, byte by byte too', (t) => {
	const {bus} = new PciTestMachine();
	bus.writePort(0xcf8, 4, 0x8002_0000);
	t.is(bus.readPort(0xcfc, 4), 0xc0de_1414);
	t.is(bus.readPort(0xcfe, 2), 0xc0de);
	t.is(bus.readPort(0xcfd, 1), 0x14);
	bus.writePort(0xcf8, 4, 0x8002_003c);
	bus.writePort(0xcfc, 1, 0x5a);
	t.is(bus.readPort(0xcfc, 1), 0x5a);
	bus.writePort(0xcf8, 4, 0x0002_0000);
	t.is(bus.readPort(0xcfc, 4), 0xffff_ffff, 'not without the enable bit');
});

test('functions follow the bus numbers that the guest gives', (t) => {
	const machine = new PciTestMachine();
	machine.setConfig(0, 8, 0x18, 0x0c_0b_00);
	t.is(vendorAndDevice(machine, 2), 'ffffffff');
	t.is(vendorAndDevice(machine, 11), 'c0de1414');
	machine.setConfig(0, 8, 0x18, 0);
	t.is(vendorAndDevice(machine, 11), 'ffffffff', 'bus 0 behind a bridge is one that nobody has set');
	machine.setConfig(0, 8, 0x18, 0x03_0b_00);
	t.is(vendorAndDevice(machine, 11), 'ffffffff', 'numbers that end before they begin lead nowhere');
});

test('two bridges with the same buses: the lower number answers', (t) => {
	const devices = [complexOf(), rootPortOf('a', 0), rootPortOf('b', 1), ...switchOf('sw', 'a'), probeOf('x', 'b')];
	const machine = new PciTestMachine(devices);
	machine.setConfig(0, 8, 0x18, machine.config(0, 0, 0x18));
	t.is(vendorAndDevice(machine, 1), 'c0311414');
});

test('each complex has its own segment and buses', (t) => {
	const ecam = {gpa: 0x1_8000_0000, length: 2 * 2 ** 20};
	const empty = {gpa: 0, length: 0};
	const second = {
		segment: 1,
		startBus: 4,
		endBus: 5,
		ecam,
		lowMmio: empty,
		highMmio: empty,
		ports: {base: 0, length: 0},
	};
	const devices = [...usualDevices, complexOf(second, 'rc1'), rootPortOf('rp9', 3, {}, 'rc1')];
	const {bus, machine} = new PciTestMachine(devices);
	t.is(bus.readMmio(ecam.gpa + 0x18000, 4), 0xc030_1414);
	t.is(bus.readMmio(ecam.gpa + 0x18018, 4), 0x05_05_04);
	t.is(machine.pci?.readConfig(1, 4, 24, 0, 2), 0x1414);
	t.is(machine.pci?.readConfig(1, 0, 0, 0, 2), 0xffff);
	t.is(machine.pci?.readConfig(0, 4, 24, 0, 2), 0xffff);
});

const wrong: [
	string,
	string,
	Parameters<typeof complexOf>[0] extends unknown ? readonly ReturnType<typeof complexOf>[] : never,
][] = [
	['a function without a place', 'PCI_PLACE_MISSING', [{name: 'x', kind: 'pci-probe', config: {}}]],
	['an unknown port', 'PCI_PLACE_UNKNOWN', [probeOf('x', 'nowhere')]],
	['a place on an endpoint', 'PCI_ENDPOINT_HAS_NO_BUS', [...usualDevices, probeOf('x', 'near')]],
	['a place that is taken', 'PCI_PLACE_TAKEN', [...usualDevices, probeOf('x', 'rp1')]],
	[
		'a place for what is no function',
		'PCI_NOT_A_FUNCTION',
		[...usualDevices, {...probeOf('x', 'rp0'), kind: 'latch', config: {port: 0x500}}],
	],
	['more ports than buses', 'PCI_BUSES_TOO_FEW', [complexOf({endBus: 1}), rootPortOf('a', 0), rootPortOf('b', 1)]],
	[
		'BARs that do not fit',
		'PCI_WINDOW_TOO_SMALL',
		[complexOf({lowMmio: {gpa: 0xe000_0000, length: 0x1000}}), rootPortOf('a', 0), probeOf('x', 'a')],
	],
	[
		'ports where there are none',
		'PCI_PORTS_TOO_FEW',
		[complexOf({ports: {base: 0, length: 0}}), rootPortOf('a', 0), probeOf('x', 'a')],
	],
];
for (const [what, code, devices] of wrong) {
	test(`${what} is refused`, (t) => {
		t.throws(() => new PciTestMachine(devices), {code});
	});
}
