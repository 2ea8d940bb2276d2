import test from 'ava';
import {AcpiNames} from '#devices/acpi';
import {DeviceUnderTest} from '#devices/testing';
import {pvpanic, pvpanicType} from './index.ts';

const port = 0x505;
const make = () => new DeviceUnderTest(pvpanic, {port});

test('one byte port, which reads as the events that are supported', (t) => {
	t.deepEqual(pvpanic.attach.regions({port}), [{space: 'pio', name: 'event', base: port, length: 1}]);
	t.is(make().in(port), 0x07);
});

test('panics and loaded crash kernels are counted', (t) => {
	const device = make();
	device.out(port, 1);
	device.out(port, 2);
	device.out(port, 1);
	t.deepEqual(device.decode(), {panics: 2, crashLoads: 1, shutdowns: 0, lastValue: 1});
});

test('an orderly shutdown powers off', (t) => {
	const device = make();
	device.out(port, 4);
	t.deepEqual(device.decode(), {panics: 0, crashLoads: 0, shutdowns: 1, lastValue: 4});
	t.deepEqual(device.events, [{kind: 'power-off'}]);
});

test('a panic is a crash, unless a crash kernel takes over', (t) => {
	const device = make();
	device.out(port, 2);
	t.deepEqual(device.events, []);
	device.out(port, 1);
	t.deepEqual(device.events, [{kind: 'crash'}]);
});

test('several events at once all count, and the panic decides', (t) => {
	const device = make();
	device.out(port, 7);
	t.deepEqual(device.decode(), {panics: 1, crashLoads: 1, shutdowns: 1, lastValue: 7});
	t.deepEqual(device.events, [{kind: 'crash'}]);
});

test('unsupported bits do nothing, and do not become supported', (t) => {
	const device = make();
	device.out(port, 0xf8);
	device.out(port, 0);
	device.out(port, 0xf8);
	t.deepEqual(device.decode(), {panics: 0, crashLoads: 0, shutdowns: 0, lastValue: 0xf8});
	t.deepEqual(device.events, []);
	t.is(device.in(port), 0x07);
});

test('reset forgets', (t) => {
	const device = make();
	device.out(port, 3);
	device.reset();
	t.deepEqual(device.decode(), {panics: 0, crashLoads: 0, shutdowns: 0, lastValue: -1});
});

test('ACPI announces the port as QEMU does', (t) => {
	const {device} = pvpanicType.acpi?.({port}, new AcpiNames(), {}) ?? {};
	const hex = Buffer.from(device ?? []).toString('hex');
	t.true(hex.includes(Buffer.from('QEMU0001').toString('hex')));
	t.true(hex.includes('4701050505050101'));
});
