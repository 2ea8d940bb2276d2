import test from 'ava';
import {batteryAddress, batteryKind, defaultBattery} from '#devices/chipset/battery';
import {guestWatchdogKind, guestWatchdogPort} from '#devices/chipset/guest-watchdog';
import {hpetAddress, hpetKind} from '#devices/chipset/hpet';
import {i8042Kind} from '#devices/chipset/i8042';
import {pvpanicKind, pvpanicPort} from '#devices/chipset/pvpanic';
import {describeToAcpi} from './index.ts';

const hex = (bytes: Uint8Array | string | undefined) => Buffer.from(bytes ?? []).toString('hex');
const describe = (kind: string, config: unknown) =>
	describeToAcpi([{name: 'one', kind, config, route: 'shared'}])[0] ?? {};

test('devices that guests find by themselves are not described', (t) => {
	t.deepEqual(describeToAcpi([{name: 'latch', kind: 'latch', config: {}, route: 'shared'}]), []);
});

test('the panic port is announced as QEMU does', (t) => {
	const {device} = describe(pvpanicKind, {port: pvpanicPort});
	t.true(hex(device).includes(hex('QEMU0001')));
	t.true(hex(device).includes('4701050505050101'));
});

test('virtio devices on MMIO have the id that Linux binds to, their page, and a level interrupt', (t) => {
	const devices = ['virtio-rng-mmio', 'virtio-blk-mmio'].map((kind, index) =>
		hex(describe(kind, {mmio: {base: 0xd000_0000 + 0x1000 * index, irq: 20}}).device),
	);
	for (const device of devices) t.true(device.includes(hex('LNRO0005')) && device.includes('89060001' + '0114000000'));
	t.true(devices[1]?.includes(`${hex('V001')}`) && devices[1].includes('86090001' + '001000d0' + '00100000'));
});

test('keyboard and mouse have the interrupts of a PC', (t) => {
	const {device, isI8042} = describe(i8042Kind, {});
	t.true(isI8042);
	t.true(hex(device).includes('4701600060000101' + '4701640064000101' + '220200'));
	t.true(hex(device).includes('220010'));
});

test('the HPET table gives the capabilities and the address', (t) => {
	const {table} = describe(hpetKind, {base: hpetAddress});
	t.is(table?.name, 'HPET');
	t.is(hex(table?.data.slice(36)), '01a28680' + '00400000' + '0000d0fe00000000' + '00' + '1027' + '00');
});

test('each watchdog action selects a register and then does something with it', (t) => {
	const {table} = describe(guestWatchdogKind, {port: guestWatchdogPort});
	const data = table?.data ?? new Uint8Array();
	t.is(
		hex(data.slice(36, 68)),
		'20000000' + 'ff00ffffff000000' + 'e8030000' + 'ffff0000' + '01000000' + '01000000' + '12000000',
	);
	t.is(data.length, 68 + 18 * 24);
	const entry = (index: number) => hex(data.slice(68 + 24 * index, 92 + 24 * index));
	t.is(entry(0), '01020000' + '01200003' + '3000000000000000' + '27000000' + 'ffffffff');
	t.is(entry(1), '01020000' + '01200003' + '3400000000000000' + '03000000' + 'ffffffff');
	t.is(entry(5), '06030000' + '01200003' + '3400000000000000' + '00000000' + 'ffffffff', 'set the countdown');
});

test('the battery has a device, an adapter, and an event that clears its cause before it tells', (t) => {
	const {device, event} = describe(batteryKind, {base: batteryAddress, initial: defaultBattery});
	t.true(hex(device).includes('5f4849440c41d00c0a'), 'PNP0C0A');
	t.true(hex(device).includes(hex('ACPI0003')));
	const [clear, tell] = [hex(event).indexOf(hex('BNCL')), hex(event).indexOf(`86${hex('\\')}2e${hex('_SB_BAT1')}`)];
	t.true(hex(event).includes(hex('_L09')));
	t.true(clear > 0 && tell > clear);
});
