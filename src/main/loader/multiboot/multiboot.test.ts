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

test('the information tells memory, command line, loader and modules', (t) => {
	const modules = [
		{data: new Uint8Array(777), name: 'first', words: 'with words'},
		{data: new Uint8Array(0), name: 'empty', words: 'and none'},
		{data: new Uint8Array(888), name: 'second', words: ''},
	];
	const image = loadKernel(requestFor(makeMultiboot(), {modules}));
	const info = pieceFields(image, 'multiboot info', multibootInfo);
	t.deepEqual(info, {
		flags: 0x24d,
		mem_lower: 639,
		mem_upper: 255 * 1024,
		cmdline: 0x3000,
		mods_count: 2,
		mods_addr: 0x2080,
		mmap_length: 7 * 24,
		mmap_addr: 0x2180,
		boot_loader_name: 0x2078,
	});
	const page = Buffer.from(findPiece(image, 'multiboot info').data);
	t.is(page.toString('latin1', 0x78, 0x80), 'OpenVMM\0');
	const module = (index: number) => pieceFields(image, 'multiboot info', multibootModule, 0x80 + 16 * index);
	t.deepEqual(module(0), {mod_start: 0x200000, mod_end: 0x200000 + 777, string: 0x4000});
	t.deepEqual(module(1), {mod_start: 0x400000, mod_end: 0x400000 + 888, string: 0x4000 + 17});
	for (const [index, line] of ['first with words\0', 'second\0'].entries()) {
		const {gpa, data} = findPiece(image, `command line of module ${index}`);
		t.deepEqual([gpa, Buffer.from(data).toString()], [module(index).string, line]);
	}
	const first = pieceFields(image, 'multiboot info', multibootMapEntry, 0x180);
	t.deepEqual(first, {size: 20, addr: 0, length: 0x19000, type: 1});
});

test('sixteen modules with command lines of a page each find room, more are refused', (t) => {
	const module = {data: Uint8Array.of(1), name: 'x'.repeat(0xfff), words: ''};
	const load = (count: number) =>
		codeOf(() => loadKernel(requestFor(makeMultiboot(), {modules: new Array(count).fill(module)})));
	t.is(load(16), 'no error');
	t.is(load(17), 'BOOT_MODULES_TOO_MANY');
});

test('an initrd alone is a module too', (t) => {
	const image = loadKernel(requestFor(makeMultiboot(), {initrd: Uint8Array.of(1)}));
	t.is(Buffer.from(findPiece(image, 'command line of module 0').data).toString(), 'initrd\0');
});

test('without modules their fields are not valid', (t) => {
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
	const last = 0x180 + info.mmap_length - 24;
	t.like(pieceFields(image, 'multiboot info', multibootMapEntry, last), {addr: 2 ** 32, length: 2 ** 30, type: 1});
});
