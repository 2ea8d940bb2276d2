import test from 'ava';
import {AcpiNames} from '#devices/acpi';
import {DeviceUnderTest} from '#devices/testing';
import {type BatteryStatus, battery, batteryAddress, batteryType, defaultBattery, type UpdateBattery} from './index.ts';

const make = () => new DeviceUnderTest(battery, {base: batteryAddress, initial: defaultBattery});
const update = (status: Partial<BatteryStatus>): UpdateBattery => ({
	kind: 'update-battery',
	status: {...defaultBattery, ...status},
});
/** Status, state, rate, remaining capacity, adapter, notify status. */
const registers = (device: ReturnType<typeof make>) =>
	[0x00, 0x04, 0x08, 0x0c, 0x10, 0x14].map((offset) => device.in(batteryAddress + offset, 4));

test('a nearly full battery charges at power-on, scaled to the capacity that guests are told', (t) => {
	const device = make();
	t.deepEqual(registers(device), [0x1f, 2, 5, 4750, 1, 0]);
	t.not(device.levels.get('changed'), true);
});

test('an update raises the event until the guest clears it', (t) => {
	const device = make();
	device.control(update({charging: false, discharging: true, rateMw: 45, remainingMwh: 500, acOnline: false}));
	t.deepEqual(registers(device), [0x1f, 1, 225, 2500, 0, 2]);
	t.true(device.levels.get('changed'));
	device.out(batteryAddress + 0x18, 1, 4);
	t.true(device.levels.get('changed'));
	device.out(batteryAddress + 0x18, 2, 4);
	t.false(device.levels.get('changed'));
});

test('without a battery, or with one of no capacity, rate and capacity are unknown', (t) => {
	for (const status of [{present: false}, {capacityMwh: 0}]) {
		const device = make();
		device.control(update(status));
		t.deepEqual(registers(device), [0x0f, 0, 0xffff_ffff, 0xffff_ffff, 1, 2]);
	}
});

test('values that would not fit are bounded', (t) => {
	const device = make();
	device.control(update({rateMw: 0xffff_ffff, capacityMwh: 1}));
	t.is(device.in(batteryAddress + 8, 4), 0xffff_ffff);
});

test('only aligned 32-bit accesses count', (t) => {
	const device = make();
	t.is(device.in(batteryAddress, 1), 0);
	t.is(device.in(batteryAddress + 1, 4), 0);
});

test('ACPI has a battery, an adapter, and an event that clears its cause before it tells', (t) => {
	const {device, event} =
		batteryType.acpi?.({base: batteryAddress, initial: defaultBattery}, new AcpiNames(), {}) ?? {};
	const hex = (bytes: Uint8Array | string | undefined) => Buffer.from(bytes ?? []).toString('hex');
	t.true(hex(device).includes('5f4849440c41d00c0a'), 'PNP0C0A');
	t.true(hex(device).includes(hex('ACPI0003')));
	const [clear, tell] = [hex(event).indexOf(hex('BNCL')), hex(event).indexOf(`86${hex('\\')}2e${hex('_SB_BAT1')}`)];
	t.true(hex(event).includes(hex('_L09')));
	t.true(clear > 0 && tell > clear);
});
