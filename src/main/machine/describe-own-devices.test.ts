import test from 'ava';
import {latch} from '#devices/chipset/latch';
import type {AnyDeviceModel} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {vmConfig} from '#main/config';
import {describeOwnDevices} from './index.ts';

const model = (kind: string) => ({kind}) as AnyDeviceModel;
const module = (options: Record<string, string> = {}, name?: string) =>
	({path: 'x.ts', route: 'shared', options, ...(name !== undefined && {name})}) as const;

test('devices are named after their kind, unless a name is given', (t) => {
	const config = vmConfig({deviceModules: [module(), module({}, 'mine'), module(), module()]});
	const models = [model('a'), model('a'), model('a'), model('b')];
	const names = describeOwnDevices(config, models).map(({name}) => name);
	t.deepEqual(names, ['a', 'mine', 'a-3', 'b']);
});

test('a port is the place of a PCI function, and an option of any other device', (t) => {
	const config = vmConfig({deviceModules: [module({port: 'rp0', size: '1'}), module({port: '1'})]});
	const pci = {vendor: 1, device: 2, class: 3};
	const made = describeOwnDevices(config, [completeModel({...latch, kind: 'f', pci} as never), model('a')]);
	t.like(made[0], {config: {size: '1'}, place: {on: 'rp0', devfn: 0}});
	t.deepEqual([made[1]?.config, made[1]?.place], [{port: '1'}, undefined]);
});

test('a slot has eight functions', (t) => {
	const pci = {vendor: 1, device: 2, class: 3};
	const place = (number: string) => {
		const config = vmConfig({deviceModules: [module({port: 'rp0', function: number})]});
		return describeOwnDevices(config, [completeModel({...latch, kind: 'f', pci} as never)])[0]?.place;
	};
	t.deepEqual(place('7'), {on: 'rp0', devfn: 7});
	for (const number of ['8', '-1', '']) t.throws(() => place(number), {code: 'DEVICE_FUNCTION_IMPOSSIBLE'});
});

test('options are the configuration, or what the model makes of them', (t) => {
	const config = vmConfig({deviceModules: [module({port: '1'}), module({port: '2'})]});
	const models = [model('a'), {...model('b'), configure: ({port}: {port?: string}) => Number(port)}];
	t.deepEqual(
		describeOwnDevices(config, models as AnyDeviceModel[]).map(({config: made}) => made),
		[{port: '1'}, 2],
	);
});
