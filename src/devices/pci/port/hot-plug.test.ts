import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {attentionPressed, occupancyChanged, type PciePortConfig, rootPort, upstreamPort} from './index.ts';

const config = {slot: 5, acs: 0x5f, prefixes: false};
const [express, msi] = [0x40, 0x7c];
const [linkStatus, slotCapabilities, slotControl, slotStatus] = [0x12, 0x14, 0x18, 0x1a].map((at) => express + at);
const linkActive = 0x2000;
const [present, presenceChanged, linkChanged] = [0x40, 0x08, 0x100];
const [enable, powerOff] = [0x1028, 0x400];

/** A port whose slot a test fills and empties. */
function make(options: PciePortConfig = config) {
	const slot = {occupied: false, changes: 0, resets: 0};
	const device = new DeviceUnderTest(rootPort, options, {
		get occupied() {
			return slot.occupied;
		},
		decodeChanged: () => void slot.changes++,
		resetBehind: () => void slot.resets++,
		isShared: false,
		resetWithBack: () => false,
		pages() {
			throw new TypeError('a port has no memory');
		},
		interruptSequence: new Int32Array(1),
	});
	const read = (offset = 0, size: 1 | 2 | 4 = 2) => device.front.read(0, offset, size);
	const write = (offset = 0, value = 0, size: 1 | 2 | 4 = 2) => device.front.write(0, offset, size, value);
	write(msi + 4, 0xfee0_0000, 4);
	write(msi + 12, 0x31);
	write(msi + 2, 1);
	write(4, 6);
	return {
		device,
		slot,
		read,
		write,
		plug(occupied: boolean) {
			slot.occupied = occupied;
			device.front.control?.(occupancyChanged());
		},
	};
}

test('a slot says its number and what it can do', (t) => {
	const {read} = make();
	t.is(read(slotCapabilities, 4), ((5 << 19) | 0x4_007a) >>> 0);
	t.is(read(0x100, 4), 0x0001_000d, 'ACS');
	t.is(read(0x104, 4), 0x5f);
	t.is(make({...config, acs: 0}).read(0x100, 4), 0);
});

test('a device that comes raises presence and link, and one message while the guest wants it', (t) => {
	const {device, read, write, plug} = make();
	plug(true);
	t.is(read(slotStatus), present | presenceChanged | linkChanged);
	t.is(read(linkStatus) & linkActive, linkActive);
	t.deepEqual(device.messages, []);
	write(slotControl, 0x03c0 | enable);
	t.deepEqual(device.messages, ['0:fee00000 31']);
	write(slotStatus, presenceChanged | linkChanged);
	t.is(read(slotStatus), present);
	plug(false);
	t.is(read(slotStatus), presenceChanged | linkChanged);
	t.is(read(linkStatus) & linkActive, 0);
	t.is(device.messages.length, 2);
});

test('the guest turns the power of a slot off and on: the link follows', (t) => {
	const {slot, read, write, plug} = make();
	plug(true);
	write(slotStatus, presenceChanged | linkChanged);
	t.is(slot.resets, 0);
	write(slotControl, powerOff);
	t.is(slot.resets, 1, 'what is in it loses its state');
	t.is(read(linkStatus) & linkActive, 0);
	t.is(read(slotStatus), present | linkChanged);
	write(slotControl, 0);
	t.is(read(linkStatus) & linkActive, linkActive);
});

test('what is there at power-on is no event, and a reset keeps it there', (t) => {
	const {device, slot, read} = make();
	slot.occupied = true;
	device.reset();
	t.is(read(slotStatus), present);
	t.is(read(linkStatus) & linkActive, linkActive);
});

test('ports without a slot have a link and no slot; upstream ports have neither', (t) => {
	const {slot, ...none} = config;
	t.is(slot, 5);
	const {read, plug} = make(none);
	plug(true);
	t.deepEqual([read(slotCapabilities, 4), read(slotStatus), read(linkStatus) & linkActive], [0, 0, linkActive]);
	const upstream = new DeviceUnderTest(upstreamPort, config);
	t.is(upstream.front.read(0, express + 2, 2), 0x52);
	t.is(upstream.front.read(0, 0x100, 4), 0);
});

test('the button of a slot is pressed to ask the guest for a device, and where one comes to a slot that is off', (t) => {
	const {device, read, write, plug} = make({...config, button: true});
	const press = () => device.front.control?.(attentionPressed);
	const attention = 1;
	t.is(read(slotCapabilities, 4), ((5 << 19) | 0x4_007b) >>> 0);
	plug(true);
	t.is(read(slotStatus) & attention, 0, 'a slot that is on takes it by itself');
	write(slotStatus, presenceChanged | linkChanged);
	press();
	t.is(read(slotStatus), present | attention);
	t.deepEqual(device.messages, [], 'the guest does not want it');
	write(slotControl, 0x03c0 | enable | attention);
	t.is(device.messages.length, 1);
	write(slotStatus, attention);
	t.is(read(slotStatus), present, 'it is acknowledged');
	write(slotControl, 0x03c0 | powerOff | attention);
	plug(false);
	write(slotStatus, presenceChanged | linkChanged);
	plug(true);
	t.is(read(slotStatus) & attention, attention);
	t.is(read(linkStatus) & linkActive, 0, 'until the guest turns it on');
});

test('a device that comes while the guest turns a slot off has the button pressed when it is done, also behind a snapshot', (t) => {
	const [blinks, off, attention] = [0x0200, 0x0300, 1];
	const {device, read, write, plug} = make({...config, button: true});
	plug(true);
	write(slotControl, 0x00c0 | enable | attention | blinks | powerOff);
	plug(false);
	plug(true);
	t.is(read(slotStatus) & attention, 0, 'it would take the press for the opposite');
	const saved = device.save();
	write(slotControl, 0x00c0 | enable | attention | off | powerOff);
	t.is(read(slotStatus) & attention, attention);
	device.restore(saved);
	t.is(read(slotStatus) & attention, 0);
	write(slotControl, 0x00c0 | enable | attention | off | powerOff);
	t.is(read(slotStatus) & attention, attention);
});

test('a slot keeps zeros for what left it, over a snapshot, until the guest turns it off or another device comes', (t) => {
	const {device, slot, write, plug} = make();
	const goes = (leavesZeros: boolean) => {
		slot.occupied = false;
		device.front.control?.(occupancyChanged(leavesZeros));
	};
	const zeros = () => device.state['zeros'];
	goes(false);
	t.is(zeros(), 0);
	plug(true);
	const before = slot.changes;
	goes(true);
	t.is(zeros(), 1);
	t.true(slot.changes > before, 'threads look where memory leads');
	const saved = device.save();
	write(slotControl, powerOff);
	t.is(zeros(), 0);
	device.restore(saved);
	t.is(zeros(), 1);
	plug(true);
	t.is(zeros(), 0);
	goes(true);
	device.reset();
	t.is(zeros(), 0);
});

test('a slot without a button has none to be pressed', (t) => {
	const {device, read, write} = make();
	write(slotControl, 0x03c0 | enable | 1);
	device.front.control?.(attentionPressed);
	t.deepEqual([read(slotStatus), read(slotControl) & 1, device.messages], [0, 0, []]);
});
