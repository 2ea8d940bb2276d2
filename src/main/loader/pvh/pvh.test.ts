import test from 'ava';
import {loadKernel} from '../load-kernel.ts';
import {codeOf, findPiece, machineOf, makeElf, pieceFields, pvhNote, requestFor} from '../testing/index.ts';
import {memoryMapEntry, moduleEntry, startInfo, startInfoMagic} from './start-info.ts';

const code = new Uint8Array(0x1000).fill(0x90);
const kernel = (bits: 32 | 64, entry = 0x100040) =>
	makeElf({bits, segments: [{physical: 0x100000, data: code, memorySize: 0x2000}, pvhNote(entry)]});

test('an ELF with a PVH note of either class is entered at the note in 32-bit mode without paging', (t) => {
	for (const bits of [32, 64] as const) {
		const image = loadKernel(requestFor(kernel(bits)));
		t.is(image.format, 'pvh');
		t.deepEqual(image.entry.general, {rip: 0x100040n, rbx: 0x2000n, rflags: 2n});
		t.like(image.entry.special, {cr0: 0x11n, cr4: 0n, efer: 0n});
		t.like(image.entry.special.cs, {base: 0n, limit: 0xffff_ffff, db: true, l: false, type: 11});
		t.like(image.entry.special.ds, {base: 0n, limit: 0xffff_ffff, db: true, type: 3});
		t.like(image.entry.special.tr, {base: 0n, limit: 0x67, type: 11});
	}
});

test('the start info tells command line, RSDP, memory map and modules', (t) => {
	const modules = [777, 888].map((length) => ({data: new Uint8Array(length), name: 'of', words: `${length}`}));
	const image = loadKernel(requestFor(kernel(64), {modules}));
	t.is(findPiece(image, 'start info').gpa, 0x2000);
	t.is(findPiece(image, 'command line').gpa, 0x3000);
	const info = pieceFields(image, 'start info', startInfo);
	t.deepEqual(info, {
		magic: startInfoMagic,
		version: 1,
		flags: 0,
		nr_modules: 2,
		modlist_paddr: 0x2040,
		cmdline_paddr: 0x3000,
		rsdp_paddr: 0xe0000,
		memmap_paddr: 0x2240,
		memmap_entries: 7,
	});
	const module = (index: number) =>
		pieceFields(image, 'start info', moduleEntry, info.modlist_paddr - 0x2000 + 32 * index);
	t.deepEqual(module(0), {paddr: 0x200000, size: 777, cmdline_paddr: 0x4000});
	t.deepEqual(module(1), {paddr: 0x400000, size: 888, cmdline_paddr: 0x4007});
	const last = info.memmap_paddr - 0x2000 + 6 * 24;
	t.like(pieceFields(image, 'start info', memoryMapEntry, last), {addr: 0x100000, size: 255 << 20, type: 1});
});

test('without an initrd there is no module', (t) => {
	t.like(pieceFields(loadKernel(requestFor(kernel(32))), 'start info', startInfo), {nr_modules: 0, modlist_paddr: 0});
});

test('Linux cuts what other PVH kernels may read', (t) => {
	const load = (text: string, length: number) => {
		const data = new Uint8Array([...code, ...Buffer.from(text)]);
		const bytes = makeElf({bits: 32, segments: [{physical: 0x100000, data}, pvhNote(0x100040)]});
		return codeOf(() => loadKernel(requestFor(bytes, {commandLine: 'x'.repeat(length)})));
	};
	t.is(load('Linux version 6.1.0', 2047), 'no error');
	t.is(load('Linux version 6.1.0', 2048), 'COMMAND_LINE_TOO_LONG');
	t.is(load('Xen', 4095), 'no error');
	t.is(load('Xen', 4096), 'COMMAND_LINE_TOO_LONG');
});

test('a note that names an entry point outside the kernel is refused', (t) => {
	t.is(
		codeOf(() => loadKernel(requestFor(kernel(64, 0x500000)))),
		'KERNEL_INVALID',
	);
});

test('asking for PVH with a kernel that has no note is refused', (t) => {
	t.is(
		codeOf(() => loadKernel(requestFor(makeElf(), {format: 'pvh'}))),
		'KERNEL_FORMAT_MISMATCH',
	);
});

test('a memory map that the page cannot hold is refused', (t) => {
	const reserved = Array.from({length: 170}, (_, i) => ({
		gpa: 0x2000000 + i * 0x2000,
		length: 0x1000,
		kind: 'acpi' as const,
	}));
	const machine = {...machineOf(256 << 20), reserved};
	t.is(
		codeOf(() => loadKernel(requestFor(kernel(64), {machine}))),
		'MEMORY_MAP_TOO_LONG',
	);
});
