import {compressionFormats} from '#main/compression';

/** Files that people hand to `-k` by mistake, by their magic numbers, and what to do about each. */

interface Signature {
	readonly offset: number;
	/** Latin-1 text. */
	readonly magic: string;
	readonly found: string;
	readonly remedy?: string;
}

const decompress = (tool: string) => `Decompress it first (${tool}): of archives, gzip, zstd, xz and lz4 are read`;
const swap = 'Pass it with -r, and the kernel with -k';
const disk = 'Attach it as a disk, and pass the kernel with -k';

/** Kernels of other architectures that are not ELF. */
export const foreignKernels: readonly Signature[] = [
	{offset: 56, magic: 'ARM\x64', found: 'an aarch64 kernel'},
	{offset: 36, magic: '\x18\x28\x6f\x01', found: 'a 32-bit ARM kernel'},
	{offset: 56, magic: 'RSC\x05', found: 'a RISC-V kernel'},
];

/** Everything else that is not a kernel. */
export const knownFiles: readonly Signature[] = [
	// Whoever boots a machine has decompressed these.
	...compressionFormats.map(({magic, found, tool}) => ({
		offset: 0,
		magic,
		found,
		remedy: `Decompress it first (${tool})`,
	})),
	{offset: 0, magic: 'BZh', found: 'a bzip2 archive', remedy: decompress('bunzip2')},
	{offset: 0, magic: '\x5d\0\0', found: 'an lzma archive', remedy: decompress('unlzma')},
	{offset: 0, magic: '\x89LZO', found: 'an lzo archive', remedy: decompress('lzop -d')},
	{offset: 0, magic: 'PK\x03\x04', found: 'a zip archive', remedy: decompress('unzip')},
	{offset: 4, magic: 'zimg', found: 'a compressed EFI kernel (zboot)', remedy: 'Use the kernel that is inside it'},
	{offset: 0, magic: '070701', found: 'an initrd (cpio archive)', remedy: swap},
	{offset: 0, magic: '070702', found: 'an initrd (cpio archive)', remedy: swap},
	{
		offset: 0,
		magic: '!<arch>\n',
		found: 'a package or library (ar archive)',
		remedy: 'Unpack it: the kernel is in boot/',
	},
	{offset: 0, magic: 'QFI\xfb', found: 'a qcow2 disk image', remedy: disk},
	{offset: 0, magic: 'vhdxfile', found: 'a VHDX disk image', remedy: disk},
	{offset: 0, magic: 'KDMV', found: 'a VMDK disk image', remedy: disk},
	{offset: 0x8001, magic: 'CD001', found: 'a CD image', remedy: disk},
	{offset: 0, magic: '#!', found: 'a script'},
	{offset: 0, magic: '\xd6\x50\x52\xe8', found: 'a multiboot 2 kernel', remedy: 'Build it for multiboot 1 or PVH'},
	{offset: 0, magic: 'IGVM', found: 'an IGVM file'},
	{
		offset: 0,
		magic: 'MZ',
		found: 'a Windows or EFI program',
		remedy:
			'This machine has no EFI. A unified kernel image has the kernel inside: objcopy -O binary -j .linux FILE vmlinuz',
	},
	{
		offset: 510,
		magic: '\x55\xaa',
		found: 'a boot sector, a disk image or a kernel without setup header, which a BIOS starts',
		remedy: 'There is no BIOS here: pass the kernel that is on it with -k',
	},
];

/** The first signature that the file bears. */
export function findSignature(bytes: Uint8Array, signatures: readonly Signature[]): Signature | undefined {
	return signatures.find(({offset, magic}) => {
		if (offset + magic.length > bytes.length) return false;
		for (let i = 0; i < magic.length; i++) if (bytes[offset + i] !== magic.charCodeAt(i)) return false;
		return true;
	});
}
