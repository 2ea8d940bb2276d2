import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {DmaChannel, type DmaChannelNumber, dma8237} from './index.ts';

const pagePorts = {0: 0x87, 1: 0x83, 2: 0x81, 3: 0x82, 5: 0x8b, 6: 0x89, 7: 0x8a} as const;
const [toMemory, fromMemory, verify] = [0x04, 0x08, 0x00];
const [single, automatic, down, cascade] = [0x40, 0x10, 0x20, 0xc0];

/** Programs the controller as a guest does before it starts a transfer of `count` units. */
function setUp(channel: DmaChannelNumber, mode: number, address: number, count: number, page = 0) {
	const device = new DeviceUnderTest(dma8237, {});
	const port = (register: number) => (channel < 4 ? register : 0xc0 + 2 * register);
	const bytes = (register: number, value: number) => {
		for (const byte of [value & 0xff, value >> 8]) device.out(port(register), byte);
	};
	const own = channel % 4;
	device.out(port(0xc), 0);
	device.out(port(0xb), mode | own);
	bytes(2 * own, address);
	bytes(2 * own + 1, count - 1);
	device.out(pagePorts[channel], page);
	device.out(port(0xa), own);
	const status = () => device.in(port(0x8));
	const masked = () => (device.in(port(0xf)) & (1 << own)) !== 0;
	const read = (gpa: number, length: number) => {
		const found = new Uint8Array(length);
		device.memory.copyOut(gpa, found);
		return [...found];
	};
	return {device, channel: new DmaChannel(device.state, device.memory, channel), status, masked, read};
}

test('a device gives bytes until the terminal count, which masks the channel and sets its status', (t) => {
	const {channel, status, masked, read} = setUp(2, single | toMemory, 0x1000, 4);
	t.is(channel.left, 4);
	t.is(channel.give(Uint8Array.of(1, 2, 3)), 3);
	t.is(channel.left, 1);
	t.is(status(), 0);
	t.is(channel.give(Uint8Array.of(4, 5, 6)), 1);
	t.deepEqual(read(0x1000, 6), [1, 2, 3, 4, 0, 0]);
	t.true(masked());
	t.deepEqual([channel.left, channel.give(Uint8Array.of(7))], [0, 0]);
	t.deepEqual([status(), status()], [0x04, 0], 'reading the status forgets it');
});

test('a device takes bytes from memory, and all ones where there is none', (t) => {
	const {device, channel} = setUp(1, single | fromMemory, 0xfffe, 4, 0x00);
	device.memory.copyIn(0xfffe, Uint8Array.of(8, 9));
	device.memory.copyIn(0, Uint8Array.of(6, 7));
	const target = new Uint8Array(6);
	t.is(channel.take(target), 4);
	t.deepEqual([...target], [8, 9, 6, 7, 0, 0], 'the address wraps in its page');
	const outside = setUp(1, single | fromMemory, 0, 2, 0x80);
	const nothing = new Uint8Array(2);
	t.is(outside.channel.take(nothing), 2);
	t.deepEqual([...nothing], [0xff, 0xff]);
});

test('word channels count words, at an address in words', (t) => {
	const {channel, read} = setUp(5, single | toMemory, 0x0800, 2, 0x01);
	t.is(channel.left, 4);
	t.is(channel.give(Uint8Array.of(1, 2, 3)), 2, 'half a word is not moved');
	t.deepEqual(read(0x1000, 4), [1, 2, 0, 0], 'the lowest bit of the page is not used');
	t.is(channel.give(Uint8Array.of(3, 4, 5, 6)), 2);
	t.is(channel.left, 0);
});

test('with auto-initialization a channel starts again and stays unmasked', (t) => {
	const {channel, masked, read, status} = setUp(3, single | toMemory | automatic, 0x2000, 2);
	t.is(channel.give(Uint8Array.of(1, 2)), 2);
	t.false(masked());
	t.is(status(), 0x08);
	t.is(channel.give(Uint8Array.of(3)), 1);
	t.deepEqual(read(0x2000, 2), [3, 2]);
});

test('a decrementing channel fills memory downwards', (t) => {
	const {channel, read} = setUp(2, single | toMemory | down, 0x3002, 3);
	t.is(channel.give(Uint8Array.of(1, 2, 3)), 3);
	t.deepEqual(read(0x3000, 3), [3, 2, 1]);
});

test('verify counts and leaves memory alone', (t) => {
	const {channel, read, status} = setUp(2, single | verify, 0x1000, 3);
	t.is(channel.give(Uint8Array.of(1, 2, 3, 4)), 3);
	t.deepEqual(read(0x1000, 3), [0, 0, 0]);
	t.is(status(), 0x04);
});

test('nothing moves in the other direction, on a masked or cascaded channel, or while the chip is off', (t) => {
	t.is(setUp(2, single | fromMemory, 0x1000, 4).channel.give(Uint8Array.of(1)), 0);
	t.is(setUp(2, single | toMemory, 0x1000, 4).channel.take(new Uint8Array(1)), 0);
	t.is(setUp(2, cascade | toMemory, 0x1000, 4).channel.left, 0);
	const masked = setUp(2, single | toMemory, 0x1000, 4);
	masked.device.out(0x0a, 4 | 2);
	t.is(masked.channel.give(Uint8Array.of(1)), 0);
	const off = setUp(2, single | toMemory, 0x1000, 4);
	off.device.out(0x08, 4);
	t.is(off.channel.left, 0);
});

test('the longest transfer is a page, however much is offered', (t) => {
	const {channel} = setUp(2, single | verify, 0, 0x1_0000);
	t.is(channel.give(new Uint8Array(0x3_0000)), 0x1_0000);
});
