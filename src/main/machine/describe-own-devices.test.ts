import test from 'ava';
import type {AnyDeviceModel} from '#devices/device';
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

test('options are the configuration, or what the model makes of them', (t) => {
	const config = vmConfig({deviceModules: [module({port: '1'}), module({port: '2'})]});
	const models = [model('a'), {...model('b'), configure: ({port}: {port?: string}) => Number(port)}];
	t.deepEqual(
		describeOwnDevices(config, models as AnyDeviceModel[]).map(({config: made}) => made),
		[{port: '1'}, 2],
	);
});
