import test from 'ava';
import {memoryMap} from './memory-map.ts';
import {machineOf} from './testing/index.ts';

const rows = (machine: Parameters<typeof memoryMap>[0]) =>
	memoryMap(machine).map(({gpa, length, type}) => [gpa, gpa + length, type]);

test('RAM is listed without the firmware tables and the legacy areas', (t) => {
	t.deepEqual(rows(machineOf(256 << 20)), [
		[0, 0x19000, 1],
		[0x19000, 0x1b000, 3],
		[0x1b000, 0x1c000, 2],
		[0x1c000, 0x9fc00, 1],
		[0x9fc00, 0xa0000, 2],
		[0xe0000, 0x100000, 2],
		[0x100000, 256 << 20, 1],
	]);
});

test('ranges around the PCI hole stay apart, and adjoining ones become one', (t) => {
	const ram = [
		{gpa: 0, length: 2 ** 30},
		{gpa: 2 ** 30, length: 2 ** 30},
		{gpa: 2 ** 32, length: 2 ** 30},
	];
	const high = rows({ram, reserved: [], rsdp: 0}).filter(([gpa]) => (gpa as number) >= 0x100000);
	t.deepEqual(high, [
		[0x100000, 2 ** 31, 1],
		[2 ** 32, 2 ** 32 + 2 ** 30, 1],
	]);
});

test('reserved ranges outside RAM are listed, and overlapping ones once', (t) => {
	const reserved = [
		{gpa: 0xf0000000, length: 0x2000, kind: 'reserved'},
		{gpa: 0xf0001000, length: 0x2000, kind: 'reserved'},
		{gpa: 0xe0000, length: 0x1000, kind: 'reserved'},
	] as const;
	const listed = rows({ram: [{gpa: 0, length: 1 << 21}], reserved, rsdp: 0}).filter(([, , type]) => type === 2);
	t.deepEqual(listed, [
		[0x9fc00, 0xa0000, 2],
		[0xe0000, 0x100000, 2],
		[0xf0000000, 0xf0003000, 2],
	]);
});
