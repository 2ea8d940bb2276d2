import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {latch} from './index.ts';

test('the latch keeps what was written, at every width, and counts accesses', (t) => {
	const device = new DeviceUnderTest(latch, {port: 0x500});
	device.out(0x500, 0xfedcba98, 4);
	t.is(device.in(0x500, 4), 0xfedcba98);
	device.out(0x503, 0x11);
	device.out(0x501, 0x2233, 2);
	t.is(device.in(0x500, 4), 0x11223398);
	t.is(device.in(0x502, 2), 0x1122);
	t.deepEqual([device.state.reads, device.state.writes], [3, 3]);
});
