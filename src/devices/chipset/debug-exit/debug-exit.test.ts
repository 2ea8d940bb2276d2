import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {debugExit} from './index.ts';

test('a write of v asks for the exit status (v << 1) | 1, with any width', (t) => {
	const device = new DeviceUnderTest(debugExit, {port: 0xf4});
	device.out(0xf4, 0x10);
	device.out(0xf4, 0, 2);
	device.out(0xf4, 0xffffffff, 4);
	t.deepEqual(device.events, [
		{kind: 'exit', status: 0x21},
		{kind: 'exit', status: 1},
		{kind: 'exit', status: 0xff},
	]);
	t.is(device.in(0xf4), 0);
});
