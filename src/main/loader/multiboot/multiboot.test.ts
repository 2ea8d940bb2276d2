import test from 'ava';
import {loadKernel} from '../load-kernel.ts';
import {codeOf, findPiece, machineOf, makeElf, makeMultiboot, pieceFields, requestFor} from '../testing/index.ts';
import {multibootInfo, multibootMapEntry, multibootModule} from './info.ts';

test('a multiboot kernel with addresses is loaded and entered where its header says', (t) => {
	const image = loadKernel(requestFor(makeMultiboot()));
	t.is(image.format, 'multiboot');
	t.like(findPiece(image, 'kernel'), {gpa: 0x100000, data: makeMultiboot(), length: 0x2000});
	t.deepEqual(image.entry.general, {rip: 0x100040n, rax: 0x2badb002n, rbx: 0x2000n, rflags: 2n});
	t.like(image.entry.special, {cr0: 0x11n, cr4: 0n, efer: 0n});
	t.like(image.entry.special.cs, {base: 0n, limit: 0xffff_ffff, db: true, l: false});
});

test('zero addresses mean the whole file and no zeroed part', (t) => {
	const image = loadKernel(requestFor(makeMultiboot({load_end_addr: 0, bss_end_addr: 0})));
	t.is(findPiece(image, 'kernel').length, 0x1000);
});

test('a multiboot ELF is loaded by its segments, with a virtual entry point translated', (t) => {
	for (const bits of [32, 64] as const) {
		const segments = [{physical: 0x100000, virtual: 0xc0100000, data: makeMultiboot({flags: 3}), memorySize: 0x4000}];
		const image = loadKernel(requestFor(makeElf({bits, entry: 0xc0100040, segments})));
		t.is(image.format, 'multiboot');
		t.is(image.entry.general.rip, 0x100040n);
		t.like(findPiece(image, 'kernel segment 0'), {gpa: 0x100000, length: 0x4000});
	}
});

test('a kernel linked to 1 MiB may have its file headers loaded in the page before', (t) => {
	const headers = {physical: 0xff000, data: new Uint8Array(0x94)};
	const segments = [headers, {physical: 0x100000, data: makeMultiboot({flags: 3})}];
	const image = loadKernel(requestFor(makeElf({bits: 32, entry: 0x100040, segments})));
	t.is(findPiece(image, 'kernel segment 0').gpa, 0xff000);
});

test('the information tells memory, command line, loader and the initrd as module 0', (t) => {
	const image = loadKernel(requestFor(makeMultiboot(), {initrd: new Uint8Array(777)}));
	const info = pieceFields(image, 'multiboot info', multibootInfo);
	t.deepEqual(info, {
		flags: 0x24d,
		mem_lower: 639,
		mem_upper: 255 * 1024,
		cmdline: 0x3000,
		mods_count: 1,
		mods_addr: 0x2080,
		mmap_length: 7 * 24,
		mmap_addr: 0x20b0,
		boot_loader_name: 0x20a0,
	});
	const page = Buffer.from(findPiece(image, 'multiboot info').data);
	t.is(page.toString('latin1', 0xa0, 0xa8), 'OpenVMM\0');
	const module = pieceFields(image, 'multiboot info', multibootModule, 0x80);
	t.deepEqual(module, {mod_start: 0x200000, mod_end: 0x200000 + 777, string: 0x2090});
	t.is(page.toString('latin1', 0x90, 0x97), 'initrd\0');
	const first = pieceFields(image, 'multiboot info', multibootMapEntry, 0xb0);
	t.deepEqual(first, {size: 20, addr: 0, length: 0x19000, type: 1});
});

test('without an initrd the module fields are not valid', (t) => {
	t.is(pieceFields(loadKernel(requestFor(makeMultiboot())), 'multiboot info', multibootInfo).flags, 0x245);
});

test('a header beyond 8 KiB, unaligned or with a wrong checksum is none', (t) => {
	const inside = (offset: number, kernel = makeMultiboot()) => {
		const bytes = new Uint8Array(0x4000);
		bytes.set(kernel, offset);
		return codeOf(() => loadKernel(requestFor(bytes, {format: 'multiboot'})));
	};
	t.is(inside(0), 'no error');
	t.is(inside(8192 - 16), 'KERNEL_FORMAT_MISMATCH');
	t.is(inside(2), 'KERNEL_FORMAT_MISMATCH');
	t.is(inside(0, makeMultiboot({checksum: 1})), 'KERNEL_FORMAT_MISMATCH');
});

test('addresses that contradict each other or the file are refused', (t) => {
	const load = (fields: Parameters<typeof makeMultiboot>[0]) =>
		codeOf(() => loadKernel(requestFor(makeMultiboot(fields))));
	t.is(load({load_addr: 0x100020}), 'KERNEL_INVALID');
	t.is(load({load_addr: 0x90000}), 'KERNEL_INVALID');
	t.is(load({load_end_addr: 0x100000}), 'KERNEL_INVALID');
	t.is(load({bss_end_addr: 0x100800}), 'KERNEL_INVALID');
	t.is(load({entry_addr: 0x101000}), 'KERNEL_INVALID');
	t.is(load({load_end_addr: 0x101001}), 'KERNEL_TRUNCATED');
	t.is(load({bss_end_addr: 0xffff_fff0}), 'MEMORY_TOO_SMALL');
});

test('a demand for a feature that does not exist is refused, one for a video mode is not', (t) => {
	t.is(
		codeOf(() => loadKernel(requestFor(makeMultiboot({flags: 0x10008})))),
		'KERNEL_INVALID',
	);
	t.is(
		codeOf(() => loadKernel(requestFor(makeMultiboot({flags: 0x10007})))),
		'no error',
	);
});

test('memory above 4 GiB is in the map and not in mem_upper', (t) => {
	const ram = [
		{gpa: 0, length: 3 * 2 ** 30},
		{gpa: 2 ** 32, length: 2 ** 30},
	];
	const image = loadKernel(requestFor(makeMultiboot(), {machine: {...machineOf(0), ram}}));
	const info = pieceFields(image, 'multiboot info', multibootInfo);
	t.is(info.mem_upper, (3 * 2 ** 30 - 0x100000) / 1024);
	const last = 0xb0 + info.mmap_length - 24;
	t.like(pieceFields(image, 'multiboot info', multibootMapEntry, last), {addr: 2 ** 32, length: 2 ** 30, type: 1});
});
