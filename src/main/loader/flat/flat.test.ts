import test from 'ava';
import {bootParams} from '../linux/setup-header.ts';
import {loadKernel} from '../load-kernel.ts';
import {codeOf, findPiece, machineOf, pieceFields, requestFor} from '../testing/index.ts';

const code = Uint8Array.of(0xf4);
const long = (address: number) => ({flat: {address, mode: 'long'}}) as const;
const real = (address: number) => ({flat: {address, mode: 'real'}}) as const;

test('a flat 64-bit binary is entered at its first byte as a Linux kernel would be', (t) => {
	const image = loadKernel(requestFor(code, {format: long(0x100000), initrd: new Uint8Array(9)}));
	t.is(image.format, 'flat');
	t.like(findPiece(image, 'kernel'), {gpa: 0x100000, data: code});
	t.is(image.entry.general.rip, 0x100000n);
	t.is(image.entry.general.rsi, 0x2000n);
	t.is(image.entry.special.cr3, 0x4000n);
	t.like(pieceFields(image, 'zero page', bootParams), {
		e820_entries: 7,
		ramdisk_image: 0x200000,
		ramdisk_size: 9,
		cmdline_size: 4095,
	});
	t.is(findPiece(image, 'page tables').data.length, 0x6000);
});

test('a real-mode binary is entered as firmware enters a boot sector', (t) => {
	const image = loadKernel(requestFor(code, {format: real(0x7c00), commandLine: ''}));
	t.deepEqual(
		image.pieces.map(({name, gpa}) => [name, gpa]),
		[['kernel', 0x7c00]],
	);
	t.is(image.entry.general.rip, 0x7c00n);
	t.like(image.entry.special, {cr0: 0x10n, cr4: 0n, efer: 0n});
	t.like(image.entry.special.cs, {selector: 0, base: 0n, limit: 0xffff, db: false});
});

test('above 64 KiB the code segment takes the top of the address', (t) => {
	const {entry} = loadKernel(requestFor(code, {format: real(0x54321), commandLine: ''}));
	t.is(entry.general.rip, 0x4321n);
	t.like(entry.special.cs, {selector: 0x5000, base: 0x50000n});
});

test('a real-mode binary can be given neither initrd nor command line', (t) => {
	const load = (rest: object) => codeOf(() => loadKernel(requestFor(code, {format: real(0x7c00), ...rest})));
	t.is(load({commandLine: 'x'}), 'BOOT_DATA_UNSUPPORTED');
	t.is(load({commandLine: '', initrd: code}), 'BOOT_DATA_UNSUPPORTED');
});

test('an address that its mode cannot run from is refused', (t) => {
	const load = (format: ReturnType<typeof long> | ReturnType<typeof real>) =>
		codeOf(() => loadKernel(requestFor(code, {format, commandLine: ''})));
	t.is(load(real(0xa0000)), 'FLAT_ADDRESS_INVALID');
	t.is(load(long(-1)), 'FLAT_ADDRESS_INVALID');
	t.is(load(long(0.5)), 'FLAT_ADDRESS_INVALID');
	t.is(load(long(Number.NaN)), 'FLAT_ADDRESS_INVALID');
	t.is(load(long(2 ** 32)), 'FLAT_ADDRESS_INVALID');
	t.is(load(long(0x2fff)), 'BOOT_RANGES_OVERLAP');
	t.is(load(long(256 << 20)), 'MEMORY_TOO_SMALL');
});

test('a flat binary larger than memory is refused', (t) => {
	const kernel = new Uint8Array(2 << 20);
	const machine = machineOf(2 << 20);
	t.is(
		codeOf(() => loadKernel(requestFor(kernel, {format: long(0x100000), machine}))),
		'MEMORY_TOO_SMALL',
	);
});
