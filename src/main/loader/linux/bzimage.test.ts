import test from 'ava';
import {loadKernel} from '../load-kernel.ts';
import {codeOf, findPiece, machineOf, makeBzImage, pieceFields, requestFor} from '../testing/index.ts';
import {bootParams} from './setup-header.ts';

const mebibyte = 0x100000;

test('a bzImage lies where OpenVMM puts it', (t) => {
	const image = loadKernel(requestFor(makeBzImage(), {initrd: new Uint8Array(5000)}));
	t.is(image.format, 'bzimage');
	t.deepEqual(
		image.pieces.map(({name, gpa}) => [name, gpa]),
		[
			['GDT', 0x1000],
			['zero page', 0x2000],
			['page tables', 0x4000],
			['command line', 0x3000],
			['kernel', 0x100000],
			['initrd', 0x1400000],
		],
	);
	t.true(
		findPiece(image, 'kernel').data.every((byte) => byte === 0xcc),
		'only the protected-mode code is loaded',
	);
	t.is(findPiece(image, 'kernel').data.length, mebibyte);
	t.is(Buffer.from(findPiece(image, 'command line').data).toString(), 'console=ttyS0\0');
});

test('a bzImage is entered in 64-bit mode 0x200 into its code with RSI at the zero page', (t) => {
	const {general, special} = loadKernel(requestFor(makeBzImage())).entry;
	t.is(general.rip, 0x100200n);
	t.is(general.rsi, 0x2000n);
	t.is(general.rflags, 2n);
	t.is(special.cr0, 0x8000_0011n);
	t.is(special.cr3, 0x4000n);
	t.is(special.cr4, 0x20n);
	t.is(special.efer, 0xd01n);
	t.deepEqual(special.gdt, {base: 0x1000n, limit: 31});
	t.like(special.cs, {selector: 0x10, l: true, db: false, type: 11});
	t.like(special.ss, {selector: 0x18, type: 3});
	t.like(special.tr, {type: 11, s: false, present: true});
});

test("the zero page holds the kernel's own header with the loader's fields filled in", (t) => {
	const initrd = new Uint8Array(5000);
	const image = loadKernel(requestFor(makeBzImage({init_size: 0x34_5678}), {initrd}));
	t.like(pieceFields(image, 'zero page', bootParams), {
		setup_sects: 4,
		boot_flag: 0xaa55,
		header: 0x5372_6448,
		version: 0x20f,
		init_size: 0x34_5678,
		type_of_loader: 0xff,
		loadflags: 1,
		cmd_line_ptr: 0x3000,
		ramdisk_image: 0x1400000,
		ramdisk_size: 5000,
		ext_ramdisk_image: 0,
		acpi_rsdp_addr: 0xe0000,
		alt_mem_k: 255 * 1024,
		ext_mem_k: 0xfc00,
		e820_entries: 7,
	});
});

test('nothing of the file behind its setup header gets into the zero page', (t) => {
	const kernel = makeBzImage({jump_length: 0xff}).fill(0xee, 0x264, 0x400);
	const page = findPiece(loadKernel(requestFor(kernel)), 'zero page').data;
	t.is(page[0x264], 0xee);
	t.is(page[0x28f], 0xee);
	t.is(page[0x290], 0);
});

test('an initrd goes to the first 2 MiB boundary after the memory the kernel unpacks itself in', (t) => {
	const initrd = new Uint8Array(100);
	const at = (fields: Parameters<typeof makeBzImage>[0], payload?: number) =>
		findPiece(loadKernel(requestFor(makeBzImage(fields, payload), {initrd})), 'initrd').gpa;
	t.is(at({pref_address: 0x1000000, init_size: 0x400001}), 0x1600000);
	t.is(at({pref_address: 0, init_size: 0x100000}), 0x200000, 'a kernel that prefers less than 1 MiB runs at 1 MiB');
	t.is(at({pref_address: 0, init_size: 0x1000}, 0x180000), 0x400000, 'the payload may reach further');
});

test('an initrd avoids reserved memory', (t) => {
	const machine = machineOf(256 * mebibyte);
	const reserved = [...machine.reserved, {gpa: 0x1500000, length: 0x1000, kind: 'reserved'} as const];
	const initrd = new Uint8Array(0x180000);
	const image = loadKernel(requestFor(makeBzImage(), {initrd, machine: {...machine, reserved}}));
	t.is(findPiece(image, 'initrd').gpa, 0x1600000);
});

test('an initrd stays below initrd_addr_max unless the kernel can take it from anywhere', (t) => {
	const initrd = new Uint8Array(0x800001);
	const load = (xloadflags: number) => () =>
		loadKernel(requestFor(makeBzImage({xloadflags, initrd_addr_max: 0x1bff_ffff >>> 4}), {initrd}));
	t.is(codeOf(load(0x01)), 'INITRD_TOO_LARGE');
	t.is(findPiece(load(0x03)(), 'initrd').gpa, 0x1400000);
});

test('an initrd above 4 GiB is told in the extended fields', (t) => {
	const machine = {
		ram: [
			{gpa: 0, length: 0x1600000},
			{gpa: 2 ** 32, length: 64 * mebibyte},
		],
		reserved: [],
		rsdp: 0xe0000,
	};
	const image = loadKernel(requestFor(makeBzImage(), {initrd: new Uint8Array(3 * mebibyte), machine}));
	t.is(findPiece(image, 'initrd').gpa, 2 ** 32);
	t.like(pieceFields(image, 'zero page', bootParams), {ramdisk_image: 0, ext_ramdisk_image: 1});
});

test('an empty initrd counts as none', (t) => {
	const image = loadKernel(requestFor(makeBzImage(), {initrd: new Uint8Array(0)}));
	t.like(pieceFields(image, 'zero page', bootParams), {ramdisk_image: 0, ramdisk_size: 0});
});

test("a command line may be as long as the kernel's header says and no longer", (t) => {
	const kernel = makeBzImage({cmdline_size: 20});
	t.notThrows(() => loadKernel(requestFor(kernel, {commandLine: 'x'.repeat(20)})));
	const error = t.throws(() => loadKernel(requestFor(kernel, {commandLine: 'x'.repeat(21)})));
	t.is(error?.message, 'The command line has 21 bytes, and the kernel takes 20');
});

test('a command line never outgrows its page, whatever the header says', (t) => {
	const kernel = makeBzImage({cmdline_size: 0xffff_ffff});
	t.notThrows(() => loadKernel(requestFor(kernel, {commandLine: 'x'.repeat(0xfff)})));
	t.is(
		codeOf(() => loadKernel(requestFor(kernel, {commandLine: 'x'.repeat(0x1000)}))),
		'COMMAND_LINE_TOO_LONG',
	);
	t.is(
		codeOf(() => loadKernel(requestFor(kernel, {commandLine: 'é'.repeat(0x800)}))),
		'COMMAND_LINE_TOO_LONG',
	);
});

test('a command line with a zero byte is refused', (t) => {
	t.is(
		codeOf(() => loadKernel(requestFor(makeBzImage(), {commandLine: 'a\0b'}))),
		'COMMAND_LINE_INVALID',
	);
});

test('a truncated bzImage says how many bytes there are and how many there should be', (t) => {
	const kernel = makeBzImage().subarray(0, 0x80000);
	const error = t.throws(() => loadKernel(requestFor(kernel)));
	t.is(error?.message, 'The kernel file is truncated: 524288 bytes found, its header promises 1051136');
	t.is(
		codeOf(() => loadKernel(requestFor(kernel.subarray(0, 0x210)))),
		'KERNEL_TRUNCATED',
	);
});

test('a bzImage with a signature behind its code loads the code alone', (t) => {
	const signed = new Uint8Array([...makeBzImage({}, 0x1000), ...new Uint8Array(1472).fill(0x77)]);
	t.is(findPiece(loadKernel(requestFor(signed)), 'kernel').data.length, 0x1000);
});

test('a size that is rounded up to a paragraph is no truncation, and the missing bytes are zero', (t) => {
	const cut = (missing: number) => loadKernel(requestFor(makeBzImage().subarray(0, 5 * 512 + mebibyte - missing)));
	const kernel = findPiece(cut(15), 'kernel');
	t.is(kernel.data.length, mebibyte - 15);
	t.is(kernel.length, mebibyte);
	t.is(
		codeOf(() => cut(16)),
		'KERNEL_TRUNCATED',
	);
});

test('a kernel without 64-bit entry point is entered by the 32-bit boot protocol', (t) => {
	const image = loadKernel(requestFor(makeBzImage({xloadflags: 0}), {initrd: new Uint8Array(5000)}));
	t.deepEqual(
		image.pieces.map(({name, gpa}) => [name, gpa]),
		[
			['GDT', 0x1000],
			['zero page', 0x2000],
			['command line', 0x3000],
			['kernel', 0x100000],
			['initrd', 0x1400000],
		],
	);
	const {general, special} = image.entry;
	t.deepEqual(general, {rip: 0x100000n, rsi: 0x2000n, rbx: 0n, rbp: 0n, rdi: 0n, rflags: 2n});
	t.like(special, {cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n, gdt: {base: 0x1000n, limit: 31}});
	t.like(special.cs, {selector: 0x10, base: 0n, limit: 0xffff_ffff, l: false, db: true});
	for (const data of ['ds', 'es', 'ss'] as const) t.like(special[data], {selector: 0x18, base: 0n, limit: 0xffff_ffff});
	const descriptors = new BigUint64Array(findPiece(image, 'GDT').data.slice().buffer);
	t.is(descriptors[2], 0xcf_9b00_0000_ffffn);
	t.like(pieceFields(image, 'zero page', bootParams), {code32_start: 0x100000, cmd_line_ptr: 0x3000, e820_entries: 7});
});

test('a 32-bit kernel takes an initrd below 4 GiB only, whatever its flags say', (t) => {
	const machine = {
		...machineOf(0),
		ram: [
			{gpa: 0, length: 0x1600000},
			{gpa: 2 ** 32, length: 64 * mebibyte},
		],
	};
	const load = (xloadflags: number) => () =>
		loadKernel(requestFor(makeBzImage({xloadflags}), {initrd: new Uint8Array(3 * mebibyte), machine}));
	t.notThrows(load(3));
	t.is(codeOf(load(2)), 'MEMORY_TOO_SMALL');
});

test('fields that a protocol does not have are not read', (t) => {
	const old = (version: number, commandLine = '') =>
		loadKernel(
			requestFor(
				makeBzImage({version, xloadflags: 1, cmdline_size: 300, pref_address: 2 ** 40, init_size: 0xffff_fff0}, 0x1000),
				{commandLine, initrd: new Uint8Array(5000)},
			),
		);
	t.is(old(0x209).entry.general.rip, 0x100000n, 'xloadflags came with 2.12');
	t.is(
		codeOf(() => old(0x20a)),
		'KERNEL_ADDRESS_UNUSABLE',
		'pref_address and init_size came with 2.10',
	);
	t.notThrows(() => old(0x206, 'x'.repeat(300)));
	t.notThrows(() => old(0x204, 'x'.repeat(255)));
	t.is(
		codeOf(() => old(0x205, 'x'.repeat(256))),
		'COMMAND_LINE_TOO_LONG',
		'cmdline_size came with 2.06',
	);
});

test('a kernel that does not say what memory it needs gets its initrd as high as it takes it', (t) => {
	const initrd = new Uint8Array(5000);
	const at = (initrd_addr_max: number) =>
		findPiece(loadKernel(requestFor(makeBzImage({version: 0x204, initrd_addr_max}), {initrd})), 'initrd').gpa;
	t.is(at(0x37ff_ffff), 0xfe0_0000, 'the last 2 MiB of 256');
	t.is(at(0x7ff_ffff), 0x7e0_0000);
});

test('kernels that only a BIOS can start are told from those with an entry point, and say why', (t) => {
	const load = (fields: Parameters<typeof makeBzImage>[0]) => {
		const error = t.throws(() => loadKernel(requestFor(makeBzImage(fields))));
		t.is((error as {code?: string}).code, 'KERNEL_NEEDS_FIRMWARE');
		return error?.message ?? '';
	};
	// syslinux's memdisk, iPXE's ipxe.lkrn, a zImage.
	t.regex(load({version: 0x203, syssize: 0}), /starts in real mode and calls a BIOS.*: its boot protocol is 2\.3$/);
	t.regex(load({version: 0x207, code32_start: 0}), /: its header names no 32-bit entry point \(code32_start is 0x0\)$/);
	t.regex(load({xloadflags: 0, code32_start: 0x1000}), /code32_start is 0x1000/);
	t.regex(load({loadflags: 0}), /: it loads below 1 MiB \(zImage\)$/);
	const {remedy} = t.throws(() => loadKernel(requestFor(makeBzImage({version: 0x203})))) as Error & {remedy: string};
	t.notRegex(remedy, /3\.8/);
	t.regex(remedy, /-k .* -r/);
});

test('a header that ends before a field of its protocol is refused', (t) => {
	const error = t.throws(() => loadKernel(requestFor(makeBzImage({jump_length: 0x10}))));
	t.is(error?.message, 'The kernel file contradicts itself: its setup header ends at 0x212, before initrd_addr_max');
	t.is(
		codeOf(() => loadKernel(requestFor(makeBzImage({version: 0x204, jump_length: 0x2e})))),
		'no error',
	);
});

test('too little memory is refused with an amount that does, and that amount does', (t) => {
	const initrd = new Uint8Array(5 * mebibyte + 1);
	const load = (memory: number) => loadKernel(requestFor(makeBzImage(), {initrd, machine: machineOf(memory)}));
	const error = t.throws(() => load(16 * mebibyte));
	t.is(
		error?.message,
		"The machine's memory is too small to boot this guest: kernel file 1 MiB, initrd 5 MiB, memory 16 MiB",
	);
	t.like(error, {code: 'MEMORY_TOO_SMALL', remedy: 'Give the machine at least 26 MiB (--memory 26M)'});
	t.is(
		codeOf(() => load(25 * mebibyte)),
		'MEMORY_TOO_SMALL',
	);
	t.notThrows(() => load(26 * mebibyte));
});

test('the memory a kernel unpacks itself in must be there, not just that of its payload', (t) => {
	const load = (memory: number) => codeOf(() => loadKernel(requestFor(makeBzImage(), {machine: machineOf(memory)})));
	t.is(load(20 * mebibyte - 0x1000), 'MEMORY_TOO_SMALL');
	t.is(load(20 * mebibyte), 'no error');
});

test('an initrd larger than memory is named as such, with an amount that does', (t) => {
	const initrd = new Uint8Array(40 * mebibyte);
	const load = (memory: number) => loadKernel(requestFor(makeBzImage(), {initrd, machine: machineOf(memory)}));
	const error = t.throws(() => load(32 * mebibyte));
	t.like(error, {code: 'INITRD_TOO_LARGE', remedy: 'Give the machine at least 60 MiB (--memory 60M)'});
	t.notThrows(() => load(60 * mebibyte));
});

test('a machine with less memory than the boot data takes is refused', (t) => {
	t.is(
		codeOf(() => loadKernel(requestFor(makeBzImage(), {machine: machineOf(0x8000)}))),
		'MEMORY_TOO_SMALL',
	);
	t.is(
		codeOf(() => loadKernel(requestFor(makeBzImage(), {machine: {...machineOf(0), ram: []}}))),
		'MEMORY_TOO_SMALL',
	);
});

test('a kernel that prefers to run where nothing can be is refused', (t) => {
	const pref = (pref_address: number) => () => loadKernel(requestFor(makeBzImage({pref_address})));
	t.is(codeOf(pref(2 ** 40)), 'KERNEL_ADDRESS_UNUSABLE');
	t.is(codeOf(pref(2 ** 63)), 'KERNEL_ADDRESS_UNUSABLE');
});

test('a kernel that would unpack itself over reserved memory is refused', (t) => {
	const machine = machineOf(256 * mebibyte);
	const reserved = [{gpa: 0x1200000, length: 0x1000, kind: 'acpi'} as const];
	const error = t.throws(() => loadKernel(requestFor(makeBzImage(), {machine: {...machine, reserved}})));
	t.regex(error?.message ?? '', /at 0x1200000: the unpacked kernel and the ACPI tables/);
});

test('a memory map that the zero page cannot hold is refused', (t) => {
	const reserved = Array.from({length: 130}, (_, i) => ({
		gpa: 0x2000000 + i * 0x2000,
		length: 0x1000,
		kind: 'acpi' as const,
	}));
	const machine = {...machineOf(256 * mebibyte), reserved};
	t.is(
		codeOf(() => loadKernel(requestFor(makeBzImage(), {machine}))),
		'MEMORY_MAP_TOO_LONG',
	);
});
