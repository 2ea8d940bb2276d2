import test from 'ava';
import {loadKernel} from '../load-kernel.ts';
import {codeOf, findPiece, machineOf, makeElf, pieceFields, requestFor} from '../testing/index.ts';
import {bootParams} from './setup-header.ts';

const code = new Uint8Array(0x1000).fill(0x90);

test('a vmlinux is loaded at its physical addresses and entered at e_entry in 64-bit mode', (t) => {
	const kernel = makeElf({
		entry: 0x1000010,
		segments: [
			{physical: 0x1000000, virtual: 0x81000000, data: code},
			{physical: 0x1002000, virtual: 0, data: code, memorySize: 0x5000},
		],
	});
	const image = loadKernel(requestFor(kernel, {initrd: Uint8Array.of(1)}));
	t.is(image.format, 'vmlinux');
	t.is(image.entry.general.rip, 0x1000010n);
	t.is(image.entry.general.rsi, 0x2000n);
	t.like(findPiece(image, 'kernel segment 0'), {gpa: 0x1000000, data: code, length: 0x1000});
	t.like(findPiece(image, 'kernel segment 1'), {gpa: 0x1002000, data: code, length: 0x5000});
	t.is(findPiece(image, 'initrd').gpa, 0x1200000);
	t.like(pieceFields(image, 'zero page', bootParams), {
		boot_flag: 0xaa55,
		header: 0x5372_6448,
		type_of_loader: 0xff,
		kernel_alignment: 0x100000,
		cmd_line_ptr: 0x3000,
		ramdisk_image: 0x1200000,
		ramdisk_size: 1,
	});
});

test('a virtual entry point is translated by its segment', (t) => {
	const segments = [{physical: 0x200000, virtual: 0xc0200000, data: code}];
	t.is(loadKernel(requestFor(makeElf({entry: 0xc0200123, segments}))).entry.general.rip, 0x200123n);
});

test('an entry point outside every loaded segment is refused', (t) => {
	const error = t.throws(() => loadKernel(requestFor(makeElf({entry: 0x102000}))));
	t.is(
		error?.message,
		'The kernel file contradicts itself: no loaded segment contains its entry point 0x102000',
		'the zeroed part of a segment holds no code',
	);
});

test('segments that overlap each other or the boot data are refused by name', (t) => {
	const at = (...addresses: number[]) =>
		makeElf({entry: addresses[0] as number, segments: addresses.map((physical) => ({physical, data: code}))});
	t.regex(
		t.throws(() => loadKernel(requestFor(at(0x100000, 0x100800))))?.message ?? '',
		/at 0x100800: kernel segment 0 and kernel segment 1/,
	);
	t.regex(
		t.throws(() => loadKernel(requestFor(at(0x1800))))?.message ?? '',
		/at 0x2000: kernel segment 0 and zero page/,
	);
	t.regex(t.throws(() => loadKernel(requestFor(at(0x19800))))?.message ?? '', /kernel segment 0 and the ACPI tables/);
	t.regex(t.throws(() => loadKernel(requestFor(at(0xa0000))))?.message ?? '', /the legacy video and BIOS area/);
});

test('a segment beyond memory is too much for this machine, one beyond 4 GiB for any', (t) => {
	const at = (physical: number) => makeElf({entry: physical, segments: [{physical, data: code}]});
	t.is(
		codeOf(() => loadKernel(requestFor(at(256 << 20)))),
		'MEMORY_TOO_SMALL',
	);
	t.is(
		codeOf(() => loadKernel(requestFor(at(2 ** 32 - 0x800)))),
		'KERNEL_ADDRESS_UNUSABLE',
	);
	t.is(
		codeOf(() => loadKernel(requestFor(at(2 ** 60)))),
		'KERNEL_ADDRESS_UNUSABLE',
	);
});

test('a segment in the hole of a machine that has RAM above it is refused', (t) => {
	const machine = {
		...machineOf(0),
		ram: [
			{gpa: 0, length: 3 * 2 ** 30},
			{gpa: 2 ** 32, length: 2 ** 30},
		],
	};
	const kernel = makeElf({entry: 0xd0000000, segments: [{physical: 0xd0000000, data: code}]});
	t.is(
		codeOf(() => loadKernel(requestFor(kernel, {machine}))),
		'KERNEL_ADDRESS_UNUSABLE',
	);
});

test('a command line for a vmlinux is as long as Linux takes, and its zero page says so', (t) => {
	const image = loadKernel(requestFor(makeElf(), {commandLine: 'x'.repeat(2047)}));
	t.is(pieceFields(image, 'zero page', bootParams).cmdline_size, 2047);
	const error = t.throws(() => loadKernel(requestFor(makeElf(), {commandLine: 'x'.repeat(2048)})));
	t.like(error, {
		code: 'COMMAND_LINE_TOO_LONG',
		message: 'The command line has 2048 bytes, and the kernel takes 2047',
	});
});
