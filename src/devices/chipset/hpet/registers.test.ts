import test from 'ava';
import {AcpiNames} from '#devices/acpi';
import {hpet, hpetType} from './index.ts';
import {
	base,
	cmp,
	conf,
	ENABLED,
	FSB,
	fsb,
	LEVEL,
	MODE_32,
	make,
	ms,
	PERIODIC,
	route,
	SET,
	us,
} from './testing/make-hpet.ts';

test('the region and the lines are those of a PC', (t) => {
	t.deepEqual(hpet.attach.regions({base}), [{space: 'mmio', name: 'registers', base, length: 0x400}]);
	t.deepEqual(hpet.lines?.({base}), {
		'pit-replaced': 43,
		'legacy-timer': 0,
		'legacy-rtc': 8,
		'input-20': 20,
		'input-21': 21,
		'input-22': 22,
		'input-23': 23,
	});
});

test('capabilities: revision 1, three timers, 64 bits, legacy replacement, 10 MHz', (t) => {
	const {read, write} = make();
	t.is(read(0), 0x8086_a201);
	t.is(read(4), 100_000_000);
	write(0, 0xffff_ffff);
	write(4, 0xffff_ffff);
	t.deepEqual([read(0), read(4)], [0x8086_a201, 100_000_000]);
	for (const timer of [0, 1, 2]) {
		t.is(read(conf(timer)), timer === 0 ? 0x8030 : 0x8020);
		t.is(read(conf(timer) + 4), 0x00f0_0000);
	}
});

test('reset values', (t) => {
	const {read, read64} = make();
	t.deepEqual([read(0x10), read(0x20)], [0, 0]);
	t.is(read64(0xf0), 0n);
	for (const timer of [0, 1, 2]) t.is(read64(cmp(timer)), 0xffff_ffff_ffff_ffffn);
});

test('the counter runs while enabled, from where it was', (t) => {
	const {device, counter, general} = make();
	device.nowNs += 10 * ms;
	t.is(counter(), 0n);
	general(1);
	t.is(counter(), 0n);
	device.nowNs += ms;
	t.is(counter(), 10_000n);
	device.nowNs += 99;
	t.is(counter(), 10_000n);
	general(0);
	device.nowNs += 3 * ms;
	t.is(counter(), 10_000n);
	general(1);
	device.nowNs += 100;
	t.is(counter(), 10_001n);
});

test('the counter can be written while it is halted only, and wraps at 2^64', (t) => {
	const {device, counter, general, write64} = make();
	write64(0xf0, 0xffff_ffff_ffff_fff0n);
	t.is(counter(), 0xffff_ffff_ffff_fff0n);
	general(1);
	write64(0xf0, 77n);
	device.nowNs += 15 * 100;
	t.is(counter(), 0xffff_ffff_ffff_ffffn);
	device.nowNs += 100;
	t.is(counter(), 0n);
	general(0);
	write64(0xf0, 0x1234_5678_9abc_def0n);
	general(1);
	device.nowNs += 2 ** 33 * 100;
	t.is(counter(), 0x1234_567a_9abc_def0n, 'exact above 2^53');
});

test('the halves of a 64-bit read belong together', (t) => {
	const {device, read, counter, general, write64} = make();
	write64(0xf0, 0xffff_ffffn);
	general(1);
	t.is(read(0xf0), 0xffff_ffff);
	device.nowNs += us;
	t.is(read(0xf4), 0);
	t.is(read(0xf4), 1, 'a later read finds the present');
	t.is(read(0xf0), 9);
	general(0);
	write64(0xf0, 5n << 32n);
	t.is(read(0xf4), 5, 'nothing is kept over a write');
	t.is(counter(), 5n << 32n);
});

test('only what exists can be configured', (t) => {
	const {read, write} = make();
	write(0x10, 0xffff_ffff);
	t.is(read(0x10), 3);
	write(conf(0), 0xffff_ffff & ~route(31));
	t.is(read(conf(0)), 0x8030 | FSB | MODE_32 | SET | PERIODIC | ENABLED | LEVEL);
	write(conf(1), 0xffff_ffff);
	t.is(read(conf(1)), 0x8020 | FSB | MODE_32 | ENABLED | LEVEL, 'neither periodic nor that route');
	for (let input = 0; input < 32; input++) {
		write(conf(2), route(input));
		t.is(read(conf(2)), 0x8020 | (input >= 20 && input <= 23 ? route(input) : 0));
	}
	write(conf(0), SET);
	t.is(read(conf(0)), 0x8030, 'only a periodic timer has an accumulator');
});

test('the FSB route holds what is written', (t) => {
	const {read, write} = make();
	write(fsb(2), 0xffff_ffff);
	write(fsb(2) + 4, 0xfee0_1000);
	t.deepEqual([read(fsb(2)), read(fsb(2) + 4), read(fsb(1))], [0xffff_ffff, 0xfee0_1000, 0]);
});

test('narrow reads find the bytes, narrow and unaligned writes do nothing', (t) => {
	const {device, read} = make();
	t.is(device.in(base + 2, 2), 0x8086);
	t.is(device.in(base + 1, 1), 0xa2);
	t.is(device.in(base + 3, 4), 0x80);
	device.out(base + 0x10, 1, 1);
	device.out(base + 0x10, 1, 2);
	device.out(base + 0xf1, 1, 4);
	t.deepEqual([read(0x10), read(0xf0)], [0, 0]);
});

test('what is not there reads zero', (t) => {
	const {read, write} = make();
	for (const offset of [0x08, 0x14, 0x24, 0xf8, 0x118, 0x160, 0x3fc]) {
		write(offset, 0xffff_ffff);
		t.is(read(offset), 0, offset.toString(16));
	}
});

test('its ACPI table gives capabilities and address', (t) => {
	const {table} = hpetType.acpi?.({base: 0xfed0_0000}, new AcpiNames(), {}) ?? {};
	t.deepEqual([table?.signature, table?.revision], ['HPET', 1]);
	t.is(
		Buffer.from(table?.body ?? []).toString('hex'),
		'01a28680' + '00400000' + '0000d0fe00000000' + '00' + '1027' + '00',
	);
});
