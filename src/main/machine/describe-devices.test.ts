import test from 'ava';
import {latch, latchKind, latchType} from '#devices/chipset/latch';
import {serialPorts} from '#devices/chipset/serial-16550';
import {type AnyDeviceType, type DeclaredType, type DeviceHandle, deviceType} from '#devices/device-type';
import {completeModel} from '#devices/pci/function';
import {deviceRegistry} from '#devices/registry';
import {type VmOptions, vmConfig} from '#main/config';
import {describeDevices} from './index.ts';

const birth = {timeMs: 0, generationId: '00112233445566778899aabbccddeeff'};

function describe(options: VmOptions, own: readonly AnyDeviceType[] = []) {
	const config = vmConfig(options);
	const types = {...deviceRegistry, own};
	return describeDevices(config, [{gpa: 0, length: 2 ** 26}], birth, types).devices;
}

const configOf = (options: VmOptions, name: string) =>
	describe(options).find((device) => device.name === name)?.config as Readonly<Record<string, unknown>> | undefined;
const ofModules = (own: readonly AnyDeviceType[], handles: readonly Partial<DeviceHandle>[]) =>
	describe({devices: handles.map((handle) => ({module: 'x.ts', ...handle}) as DeviceHandle)}, own).slice(-own.length);

/** A type of a user's own. */
const own = (kind: string, parts: Partial<DeclaredType> = {}) =>
	completeModel({...latchType, options: {}, kind, ...parts} as DeclaredType) as AnyDeviceType;

test('a machine has what every PC has, what it is asked for, and its interrupt controllers where they are not the kernel`s', (t) => {
	const names = (options: VmOptions) => describe(options).map(({name}) => name);
	const everywhere = ['rtc', 'pm', 'generation-id', 'i8042', 'pvpanic', 'pci-config', 'power-off-ports', 'missing'];
	const kernel = {irqchip: 'kernel'} as const;
	t.deepEqual(names({...kernel, devices: []}), everywhere);
	t.deepEqual(names(kernel), [...everywhere, 'com1', 'com2', 'com3', 'com4']);
	t.deepEqual(names({irqchip: 'split', devices: [{kind: 'battery'}]}), [
		'pic',
		'ioapic',
		'pit',
		...everywhere,
		'battery',
	]);
});

test('with an HPET the outputs of PIT and RTC lead to it, whatever it is called', (t) => {
	t.like(configOf({irqchip: 'split'}, 'pit'), {irq: 0});
	t.is(configOf({}, 'rtc')?.['irq'], undefined);
	for (const name of [undefined, 'mine']) {
		const devices = [{kind: 'hpet', ...(name !== undefined && {name})}];
		t.like(configOf({irqchip: 'split', devices}, 'pit'), {irq: 41});
		t.like(configOf({devices}, 'rtc'), {irq: 42});
	}
});

test('typed-ahead input waits for an operating system, and only for one', (t) => {
	const waits = (options: VmOptions) => configOf(options, 'com1')?.['waitForRts'];
	t.is(waits({}), false);
	t.is(waits({boot: {kind: 'linux', kernel: 'k', commandLine: []}}), true);
	const [com1] = serialPorts();
	t.is(waits({devices: [{...com1, kind: 'serial-16550', options: {...com1?.options, waitForRts: 'on'}}]}), true);
});

test('devices are named after their kind, unless a name is given', (t) => {
	const kinds = [own('a'), own('a'), own('a'), own('b')];
	const names = ofModules(kinds, [{}, {name: 'mine'}, {}, {}]).map(({name}) => name);
	t.deepEqual(names, ['a', 'mine', 'a-3', 'b']);
});

test('a port is the place of a PCI function, and an option of any other device', (t) => {
	const options = {size: {type: 'number', min: 0, max: 9, help: 'how large'}} as const;
	const fun = own('f', {attach: {pci: {vendor: 1, device: 2, class: 3}}, options});
	const [word, field, other] = ofModules(
		[fun, fun, own('latch', {options: latchType.options})],
		[{options: {port: 'rp0', size: '1'}}, {port: 'rp1', options: {size: 2}}, {options: {port: '1'}}],
	);
	t.like(word, {config: {size: 1}, options: {size: 1}, place: {on: 'rp0', devfn: 0}});
	t.like(field, {config: {size: 2}, place: {on: 'rp1', devfn: 0}});
	t.deepEqual([other?.config, other?.place], [{port: 1}, undefined]);
});

test('a slot has eight functions', (t) => {
	const fun = own('f', {attach: {pci: {vendor: 1, device: 2, class: 3}}});
	const place = (number: string) => ofModules([fun], [{options: {port: 'rp0', function: number}}])[0]?.place;
	t.deepEqual(place('7'), {on: 'rp0', devfn: 7});
	for (const number of ['8', '-1', '']) t.throws(() => place(number), {code: 'DEVICE_FUNCTION_IMPOSSIBLE'});
});

test('options are the configuration, or what the type makes of them; the host`s are no part of what the guest can tell', (t) => {
	const options = {
		port: {type: 'number', min: 0, max: 9, help: 'where'},
		log: {type: 'path', use: 'stream', host: true, help: 'where to'},
	} as const;
	const given = {options: {port: '1', log: 'x'}};
	const [plain, made] = ofModules(
		[own('a', {options}), own('b', {options, configure: ({port}) => port})],
		[given, given],
	);
	t.deepEqual([plain?.config, plain?.options], [{port: 1, log: 'x'}, {port: 1}]);
	t.deepEqual([made?.config, made?.options], [1, {port: 1}]);
	const fails = own('c', {
		configure() {
			throw new Error('no');
		},
	});
	t.throws(() => ofModules([fails], [{name: 'it'}]), {code: 'DEVICE_OPTIONS_REFUSED', message: /it refuses .*: no/});
	t.throws(() => ofModules([own('d')], [{options: {x: '1'}}]), {code: 'CONFIG_KEY_UNKNOWN'});
	t.throws(() => describe({devices: [{kind: 'nothing'}]}), {code: 'CONFIG_DEVICE_KIND'});
});

test('a type whose options do not fit its model does not compile', (t) => {
	const wrong = {port: {type: 'text', help: 'x'}} as const;
	// @ts-expect-error a number is wanted
	deviceType({...latch, kind: latchKind, summary: 'X', options: wrong});
	// @ts-expect-error there is no port
	deviceType({...latch, kind: latchKind, summary: 'X'});
	const configure = ({port}: {readonly port: string}) => ({port: Number(port)});
	t.is(deviceType({...latch, kind: latchKind, summary: 'X', options: wrong, configure}).kind, 'latch');
});
