import test from 'ava';
import {bytesPerBus} from '#devices/pci/root-complex';
import {complexOf, configPorts, PciTestMachine, rootPortOf, switchOf} from '#devices/pci/testing';
import {genericInitiators, hostBridges} from './index.ts';

const {machine, layout} = new PciTestMachine([
	complexOf({endBus: 7, ecam: {gpa: 0x1_4000_0000, length: 8 * bytesPerBus}}),
	complexOf(
		{
			segment: 5,
			startBus: 3,
			ecam: {gpa: 0x1_5000_0000, length: 13 * bytesPerBus},
			lowMmio: {gpa: 0xe800_0000, length: 2 ** 26},
			highMmio: {gpa: 0x41_0000_0000, length: 2 ** 30},
			ports: {base: 0, length: 0},
		},
		'rc1',
	),
	configPorts,
	rootPortOf('rp0', 0),
	rootPortOf('rp1', 1),
	...switchOf('sw', 'rp1'),
	rootPortOf('rp2', 0, {}, 'rc1'),
]);
const initiators = (...ports: readonly string[]) =>
	genericInitiators({genericInitiators: ports.map((port, node) => ({port, node}))}, machine.pci);

test('an initiator is function 0 of the bus behind its port, as numbered at power-on', (t) => {
	t.deepEqual(initiators('rp0', 'sw-1', 'rp2'), [
		{segment: 0, bus: 1, devfn: 0, node: 0},
		// Bus 2 is behind rp1, bus 3 in the switch, bus 4 behind its first port.
		{segment: 0, bus: 5, devfn: 0, node: 1},
		{segment: 5, bus: 4, devfn: 0, node: 2},
	]);
	t.deepEqual(genericInitiators(undefined, machine.pci), []);
	t.deepEqual(genericInitiators(undefined, undefined), []);
});

test('a guest leaves bus numbers alone where an initiator is, and only there', (t) => {
	const kept = (...ports: readonly string[]) =>
		hostBridges(layout.devices, initiators(...ports)).map(({preserveBars}) => preserveBars);
	t.deepEqual(kept(), [false, false]);
	t.deepEqual(kept('sw-0'), [true, false]);
	t.deepEqual(kept('rp2'), [false, true]);
});
