import test from 'ava';
import type {DeclaredModel} from '#devices/device';
import type {AttachedDevice} from '#devices/machine';
import {complexOf, PciTestMachine, rootPortOf} from '#devices/pci/testing';
import {FakeReactor} from '#devices/testing';
import {noProgram} from '#support/rpc';
import {u8, wire} from '#support/wire';
import {completeModel} from './index.ts';

const attached: [DeclaredModel['attach'], readonly string[]][] = [
	[{regions: () => []}, []],
	[{pciHost: () => []}, ['configSpace']],
	[{pci: {vendor: 1, device: 2, class: 3}}, ['pci']],
];
const ofBacks = [
	'reactor',
	'worker',
	'hostMemory',
	'locked',
	'track',
	'drained',
	'serve',
	'noticed',
	'program',
	'together',
];
const namesIn = (services: object) => ['pci', 'configSpace', 'slot', ...ofBacks].filter((name) => name in services);
for (const [attach, expected] of attached) {
	test(`a device that attaches to ${Object.keys(attach)[0]} gets the services of that, and no others`, (t) => {
		const offered: string[][] = [];
		const model = completeModel({
			kind: 'attached',
			state: wire('attached', {status: u8}),
			attach,
			front: (_config: unknown, _state: unknown, services: object) => {
				offered.push(namesIn(services));
				return {read: () => 0, write() {}};
			},
			back: (_config: unknown, _state: unknown, services: object) => void offered.push(namesIn(services)),
		} as never);
		const place = 'pci' in attach && {place: {on: 'rp0', devfn: 0}};
		const device = {name: 'it', kind: model.kind, config: {}, ...place} as const;
		const {machine} = new PciTestMachine([complexOf(), rootPortOf('rp0', 0), device], undefined, model);
		const {state, services} = machine.devices.find(({placed}) => placed.name === 'it') as AttachedDevice;
		model.back?.({}, state, {
			...services,
			reactor: new FakeReactor(),
			worker: {index: 0, count: 1},
			hostMemory: undefined,
			commonMemory: undefined,
			locked: (action) => action(),
			track() {},
			drained: async () => {},
			program: noProgram,
			together: new Map(),
			serve() {},
			noticed() {},
		});
		t.deepEqual(offered, [expected, [...expected, ...ofBacks]]);
	});
}
