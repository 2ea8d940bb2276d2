import test from 'ava';
import type {VmmError} from '#support/errors';
import {detectKernelFormat} from './detect.ts';
import {loadKernel} from './load-kernel.ts';
import {codeOf, makeBzImage, makeElf, makeMultiboot, outcome, pvhNote, requestFor} from './testing/index.ts';

const code = new Uint8Array(0x1000).fill(0x90);
const withText = (text: string) => ({physical: 0x100000, data: new Uint8Array([...code, ...Buffer.from(text)])});
const text = (value: string) => new Uint8Array([...Buffer.from(value, 'latin1'), ...new Uint8Array(0x9000)]);

test('each format is recognised by its mark', (t) => {
	t.is(detectKernelFormat(makeBzImage()).format, 'bzimage');
	t.is(detectKernelFormat(makeElf()).format, 'vmlinux');
	t.is(detectKernelFormat(makeElf({segments: [withText(''), pvhNote(0x100000)]})).format, 'pvh');
	t.is(detectKernelFormat(makeMultiboot()).format, 'multiboot');
});

test("a Linux vmlinux goes by Linux's protocol although it has a PVH note", (t) => {
	const byNote = makeElf({segments: [withText(''), pvhNote(0x100000), pvhNote(0, 'Linux', 0x100)]});
	const byBanner = makeElf({segments: [withText('Linux version 6.1.0'), pvhNote(0x100000)]});
	const mention = makeElf({segments: [withText('Linux version %s'), pvhNote(0x100000)]});
	t.is(detectKernelFormat(byNote).format, 'vmlinux');
	t.is(detectKernelFormat(byBanner).format, 'vmlinux');
	t.is(detectKernelFormat(mention).format, 'pvh');
});

test('a vmlinux can be asked to boot by PVH', (t) => {
	const kernel = makeElf({segments: [withText('Linux version 6.1.0'), pvhNote(0x100800)]});
	t.like(loadKernel(requestFor(kernel, {format: 'pvh'})), {format: 'pvh', entry: {general: {rip: 0x100800n}}});
});

test('PVH is preferred to multiboot, and multiboot to nothing', (t) => {
	const multiboot = {physical: 0x100000, data: makeMultiboot({flags: 3})};
	t.is(detectKernelFormat(makeElf({segments: [multiboot, pvhNote(0x100000)]})).format, 'pvh');
	t.is(detectKernelFormat(makeElf({segments: [multiboot]})).format, 'multiboot');
});

test('a 32-bit ELF that speaks no protocol is named as such', (t) => {
	t.is(
		codeOf(() => detectKernelFormat(makeElf({bits: 32}))),
		'KERNEL_32BIT_ONLY',
	);
});

test('a note of another type or owner is no PVH note', (t) => {
	const kernel = makeElf({segments: [withText(''), pvhNote(1, 'Xen', 17), pvhNote(1, 'GNU', 18)]});
	t.is(detectKernelFormat(kernel).format, 'vmlinux');
});

test('files that are not kernels are named, with a remedy', (t) => {
	const explain = (bytes: Uint8Array) => outcome(() => detectKernelFormat(bytes)) as VmmError;
	t.like(explain(new Uint8Array(0)), {code: 'KERNEL_EMPTY'});
	t.like(explain(text('\x1f\x8b')), {
		message: 'The kernel file has no format that can be booted: it looks like a gzip archive',
		remedy: 'Decompress it first (gunzip)',
	});
	t.like(explain(text('BZh9')), {
		remedy: 'Decompress it first (bunzip2): of archives, gzip, zstd, xz and lz4 are read',
	});
	t.like(explain(text('\x28\xb5\x2f\xfd')), {context: {found: 'a zstd archive'}});
	t.like(explain(text('\xfd7zXZ\0')), {context: {found: 'an xz archive'}});
	t.like(explain(text('070701')), {remedy: 'Pass it with -r, and the kernel with -k'});
	t.like(explain(text('hello')), {code: 'KERNEL_UNRECOGNISED', context: {found: 'no known kind of file'}});
	t.like(explain(text('MZ')), {code: 'KERNEL_UNRECOGNISED', context: {found: 'a Windows or EFI program'}});
	t.regex(explain(text('MZ')).remedy ?? '', /no EFI.*objcopy/);
	t.regex(explain(text(`${'\0'.repeat(510)}\x55\xaa`)).message, /looks like a boot sector/);
	t.like(explain(Uint8Array.of(0x7f)), {code: 'KERNEL_UNRECOGNISED'});
});

test('kernels of other architectures are named', (t) => {
	t.like(
		outcome(() => detectKernelFormat(text(`MZ${'\0'.repeat(54)}ARM\x64`))),
		{
			message: 'The kernel file is an aarch64 kernel, and this machine is x86-64',
		},
	);
	t.is(
		codeOf(() => detectKernelFormat(makeElf({machine: 40}))),
		'KERNEL_WRONG_ARCHITECTURE',
	);
});

test('asking for a format that the file is not is refused', (t) => {
	const ask = (kernel: Uint8Array, format: 'linux' | 'pvh' | 'multiboot') =>
		codeOf(() => loadKernel(requestFor(kernel, {format})));
	t.is(ask(makeMultiboot(), 'linux'), 'KERNEL_FORMAT_MISMATCH');
	t.is(ask(makeBzImage(), 'multiboot'), 'KERNEL_FORMAT_MISMATCH');
	t.is(ask(makeBzImage(), 'pvh'), 'KERNEL_FORMAT_MISMATCH');
	t.is(ask(text('hello'), 'linux'), 'KERNEL_UNRECOGNISED');
	t.is(ask(makeElf({bits: 32, segments: [withText(''), pvhNote(0x100000)]}), 'linux'), 'KERNEL_32BIT_ONLY');
});
