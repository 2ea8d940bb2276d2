import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {pciConfig} from './index.ts';

const make = () => new DeviceUnderTest(pciConfig, {});

test('the address latch reads back and every device is absent', (t) => {
	const device = make();
	device.out(0xcf8, 0xffffffff, 4);
	t.is(device.in(0xcf8, 4), 0x80fffffc, 'reserved bits read zero');
	t.is(device.in(0xcfc, 4), 0xffffffff);
	t.is(device.in(0xcfe, 2), 0xffff);
	t.is(device.in(0xcfd), 0xff);
	device.out(0xcfc, 0, 4);
	t.is(device.in(0xcf8, 4), 0x80fffffc);
});

test('narrow accesses do not reach the latch', (t) => {
	const device = make();
	device.out(0xcf8, 0x80000000, 4);
	device.out(0xcfb, 0x01);
	device.out(0xcf8, 0, 2);
	t.is(device.in(0xcf8, 4), 0x80000000);
	t.is(device.in(0xcf8), 0xff);
});

test('RST_CPU going up in the reset control register resets', (t) => {
	const device = make();
	device.out(0xcf9, 0x02);
	t.is(device.in(0xcf9), 0x02);
	t.deepEqual(device.events, []);
	device.out(0xcf9, 0x06);
	device.out(0xcf9, 0x06);
	t.deepEqual(device.events, [{kind: 'reset'}]);
	device.out(0xcf8, 0x80000600, 4);
	t.is(device.events.length, 1, 'a write of the whole latch is no reset');
});
