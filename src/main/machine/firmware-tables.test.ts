import test from 'ava';
import {latchType} from '#devices/chipset/latch';
import type {AnyDeviceType} from '#devices/device-type';
import {deviceTables} from './index.ts';

const own = (kind: string, parts: Partial<AnyDeviceType>) => ({...latchType, kind, ...parts}) as AnyDeviceType;
const devices = ['second', 'first', 'second', 'silent'].map((kind, index) => ({
	name: `device-${index}`,
	kind,
	config: {port: index},
}));

test('the tables have devices in the order of their types, by their configurations, inputs and by names that differ', (t) => {
	const types = ['first', 'second', 'silent'].map((kind) =>
		own(
			kind,
			kind === 'silent'
				? {lines: () => ({done: 'own'})}
				: {
						lines: ({port}) => ({done: port === 1 ? 9 : 'shared'}),
						acpi: ({port}, names, {done}) => ({
							device: new TextEncoder().encode(`${names.next('D')} ${kind} ${port} ${done}`),
						}),
						smbios: ({port}) => [{type: 8, body: Uint8Array.of(port)}],
					},
		),
	);
	const {acpi, smbios} = deviceTables(devices, types);
	t.deepEqual(
		acpi.map(({device}) => new TextDecoder().decode(device)),
		['D000 first 1 9', 'D001 second 0 20', 'D002 second 2 21'],
	);
	t.deepEqual(
		smbios.map(({body}) => body[0]),
		[1, 0, 2],
	);
});

test('a type that fails to say what its device is names it', (t) => {
	const fails = () => {
		throw new RangeError('no such name');
	};
	for (const part of ['acpi', 'smbios'])
		t.throws(() => deviceTables(devices, [own('second', {[part]: fails})]), {
			code: 'DEVICE_TABLES_WRONG',
			message: /device-0: RangeError: no such name/,
		});
});
