import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {i8042} from './index.ts';

const make = () => new DeviceUnderTest(i8042, {});

/** The answer to a command, if it comes at once. */
function ask(device: ReturnType<typeof make>, command: number, data?: number): number | 'no answer' {
	device.out(0x64, command);
	for (const byte of data === undefined ? [] : [data]) device.out(0x60, byte);
	return (device.in(0x64) & 1) === 1 ? device.in(0x60) : 'no answer';
}

test('pulsing output line 0 resets, pulsing others does not', (t) => {
	const device = make();
	device.out(0x64, 0xfd);
	t.deepEqual(device.events, []);
	device.out(0x64, 0xfe);
	t.deepEqual(device.events, [{kind: 'reset'}]);
});

test('clearing bit 0 of the output port resets, opening A20 does not', (t) => {
	const device = make();
	device.out(0x64, 0xd1);
	device.out(0x60, 0xdf);
	t.deepEqual(device.events, []);
	device.out(0x64, 0xd1);
	device.out(0x60, 0xfe);
	t.deepEqual(device.events, [{kind: 'reset'}]);
});

test("a driver's probe is answered at once and finds a controller without devices", (t) => {
	const device = make();
	t.is(device.in(0x64) & 1, 0, 'nothing to flush');
	t.is(ask(device, 0x20), 0x74);
	t.is(ask(device, 0x60, 0x65), 'no answer');
	t.is(ask(device, 0x20), 0x65);
	t.is(ask(device, 0xaa), 0x55);
	t.is(ask(device, 0xab), 0x00);
	t.is(ask(device, 0xd3, 0x5a), 0x5a);
	t.is(ask(device, 0xa9), 0x01, 'no auxiliary port');
	t.is(ask(device, 0xd0), 0x03);
});

test('a byte for the absent keyboard ends in a timeout', (t) => {
	const device = make();
	device.out(0x60, 0xf2);
	t.is(device.in(0x64) & 0x41, 0x41);
	t.is(device.in(0x60), 0xfe);
	t.is(device.in(0x64) & 0x41, 0);
});

test('enable and disable commands show in the mode byte', (t) => {
	const device = make();
	device.out(0x64, 0xae);
	device.out(0x64, 0xa8);
	t.is(ask(device, 0x20), 0x44);
	device.out(0x64, 0xad);
	device.out(0x64, 0xa7);
	t.is(ask(device, 0x20), 0x74);
});
