import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {dma8237} from './index.ts';

const make = () => new DeviceUnderTest(dma8237, {});
const pair = (device: ReturnType<typeof make>, port: number) => device.in(port) | (device.in(port) << 8);

test('address and count are written and read low byte first, in turn', (t) => {
	const device = make();
	device.out(0x0c, 0);
	for (const byte of [0x34, 0x12]) device.out(0x04, byte);
	for (const byte of [0xff, 0x01]) device.out(0x05, byte);
	t.deepEqual([pair(device, 0x04), pair(device, 0x05)], [0x1234, 0x01ff]);
	device.in(0x04);
	device.out(0x0c, 0);
	t.is(device.in(0x04), 0x34, 'the flip-flop was cleared');
});

test("the second chip's registers lie two ports apart", (t) => {
	const device = make();
	for (const byte of [0x78, 0x56]) device.out(0xc4, byte);
	t.is(pair(device, 0xc4), 0x5678);
	t.is(pair(device, 0x02), 0, 'the first chip is another one');
});

test('page registers hold a byte each, and 0x80 is none of them', (t) => {
	const device = make();
	for (let port = 0x81; port <= 0x8f; port++) device.out(port, port);
	t.deepEqual(
		Array.from({length: 15}, (_, i) => device.in(0x81 + i)),
		Array.from({length: 15}, (_, i) => 0x81 + i),
	);
	t.throws(() => device.in(0x80));
});

test('masks are set by a reset and a master clear, and written one by one or all at once', (t) => {
	const device = make();
	t.is(device.in(0x0f), 0xff);
	device.out(0x0a, 2);
	t.is(device.in(0x0f), 0xfb);
	device.out(0x0a, 6);
	t.is(device.in(0x0f), 0xff);
	device.out(0x0f, 0x05);
	t.is(device.in(0x0f), 0xf5);
	device.out(0x0e, 0);
	t.is(device.in(0x0f), 0xf0);
	device.out(0x0d, 0);
	t.is(device.in(0x0f), 0xff);
	t.is(device.in(0xde), 0xff, 'the other chip was not touched');
});

test('a software request shows in the status until it is taken back', (t) => {
	const device = make();
	device.out(0x09, 5);
	t.is(device.in(0x08), 0x20);
	t.is(device.in(0x08), 0x20);
	device.out(0x09, 1);
	t.is(device.in(0x08), 0);
});
