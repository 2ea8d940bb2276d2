import {sparse, u8, u16, u32, u64, viewOf} from '#support/wire';
import {bootLayout} from '../boot-layout.ts';
import {loaderError} from '../errors.ts';
import {has} from '../ranges.ts';

/**
 * Fields of `struct boot_params`, the zero page; from `setup_sects` on also of a bzImage's first sectors, where the
 * setup header lies at the same offset.
 */
export const bootParams = sparse('boot_params', {
	/** `screen_info.ext_mem_k`: KiB from 1 MiB on, as BIOS function 0x88 tells it. */
	ext_mem_k: u16.at(0x002),
	acpi_rsdp_addr: u64.asNumber.at(0x070),
	ext_ramdisk_image: u32.at(0x0c0),
	ext_ramdisk_size: u32.at(0x0c4),
	/** KiB from 1 MiB on, as BIOS function 0xE801 tells it. */
	alt_mem_k: u32.at(0x1e0),
	e820_entries: u8.at(0x1e8),
	setup_sects: u8.at(0x1f1),
	syssize: u32.at(0x1f4),
	boot_flag: u16.at(0x1fe),
	/** Low byte of the jump over the header: the header ends 0x202 plus this. */
	jump_length: u8.at(0x201),
	header: u32.at(0x202),
	version: u16.at(0x206),
	type_of_loader: u8.at(0x210),
	loadflags: u8.at(0x211),
	code32_start: u32.at(0x214),
	ramdisk_image: u32.at(0x218),
	ramdisk_size: u32.at(0x21c),
	cmd_line_ptr: u32.at(0x228),
	initrd_addr_max: u32.at(0x22c),
	kernel_alignment: u32.at(0x230),
	relocatable_kernel: u8.at(0x234),
	xloadflags: u16.at(0x236),
	cmdline_size: u32.at(0x238),
	pref_address: u64.asNumber.at(0x258),
	init_size: u32.at(0x260),
}).sized(4096, 'Linux, Documentation/arch/x86/boot.rst and zero-page.rst');

type HeaderField = keyof typeof bootParams.fields;

/** The protocol version that brought a field which an older kernel lacks; its bytes are code there. */
const fieldVersion: Partial<Record<HeaderField, number>> = {
	initrd_addr_max: 0x0203,
	kernel_alignment: 0x0205,
	relocatable_kernel: 0x0205,
	cmdline_size: 0x0206,
	pref_address: 0x020a,
	init_size: 0x020a,
	xloadflags: 0x020c,
};

/** Values of {@link bootParams}. */
export const bootProtocol = {
	bootFlag: 0xaa55,
	/** "HdrS". */
	magic: 0x5372_6448,
	/** Version that is told to a vmlinux, which has no header: 2.12 is the first with `xloadflags`. */
	madeVersion: 0x020c,
	/** 2.04: the first whose `syssize` is whole. Of older kernels some can only be entered in real mode. */
	minVersion: 0x0204,
	loadedHigh: 0x01,
	/** `xloadflags`: there is an entry point for 64-bit mode, 0x200 into the protected-mode code. */
	kernel64: 0x01,
	/** `xloadflags`: kernel, initrd and command line may lie above 4 GiB. */
	above4G: 0x02,
	/** A boot loader without a registered number, as OpenVMM. */
	unregisteredLoader: 0xff,
	entryOffset: 0x200,
	sectorSize: 512,
	/** Unit of `syssize`. */
	paragraph: 16,
	/** Length of a command line that kernels take whose header does not say. */
	shortCommandLine: 255,
	/** Linux's COMMAND_LINE_SIZE on x86 without the zero byte; it cuts what is longer. */
	commandLineLimit: 2047,
} as const;

/** The last byte of the zero page that the setup header may take: what follows is EDD data. */
export const setupHeaderEnd = 0x290;
const headerStart = 0x1f1;
const fixedHeaderEnd = 0x264;

/** Content of a bzImage's header, checked. */
export interface SetupHeader {
	/** The mode of the entry point to use: 64-bit where the kernel has one. */
	readonly bits: 32 | 64;
	/** The header's bytes, for the zero page at 0x1f1. */
	readonly bytes: Uint8Array;
	/** Protected-mode code in the file. */
	readonly payload: Uint8Array;
	/** Its size in memory: whole paragraphs, of which a file may lack the end. */
	readonly payloadSize: number;
	/** Longest command line in bytes, without the closing zero byte. */
	readonly commandLineLimit: number;
	/** First address that an initrd may not touch. */
	readonly initrdLimit: number;
	/** Address where the kernel wants to run when it was loaded below; 0 when it does not say. */
	readonly preferredAddress: number;
	/** Memory it needs from where it runs, while it unpacks itself; undefined when it does not say. */
	readonly initSize: number | undefined;
}

/** True when the file begins as a bzImage. */
export function isBzImage(bytes: Uint8Array): boolean {
	const {boot_flag: flag, header} = bootParams.field;
	if (!has(bytes, 0, header.offset + header.size)) return false;
	const source = viewOf(bytes);
	return flag.get(source) === bootProtocol.bootFlag && header.get(source) === bootProtocol.magic;
}

/**
 * Reads a bzImage's header.
 * @throws VmmError KERNEL_TRUNCATED, KERNEL_NEEDS_FIRMWARE, KERNEL_INVALID
 */
export function readSetupHeader(bytes: Uint8Array): SetupHeader {
	const truncated = (promised: number) => loaderError('KERNEL_TRUNCATED', {found: bytes.length, promised});
	if (!has(bytes, 0, fixedHeaderEnd)) throw truncated(fixedHeaderEnd);
	const source = viewOf(bytes);
	const version = bootParams.field.version.get(source);
	/** Undefined for a field that this version does not have. */
	const find = (name: HeaderField) =>
		version < (fieldVersion[name] ?? 0) ? undefined : bootParams.field[name].get(source);
	const get = (name: HeaderField) => find(name) ?? 0;
	const flag = (name: HeaderField, bit: number) => (get(name) & bit) !== 0;

	const bits = flag('xloadflags', bootProtocol.kernel64) ? 64 : 32;
	if (version < bootProtocol.minVersion) throw realMode(`its boot protocol is ${version >> 8}.${version & 0xff}`);
	if (!flag('loadflags', bootProtocol.loadedHigh)) throw realMode('it loads below 1 MiB (zImage)');
	// The protected-mode entry point is the load address. Programs in a kernel's clothes have none, and say so here.
	if (bits === 32 && get('code32_start') !== bootLayout.kernel) {
		throw realMode(`its header names no 32-bit entry point (code32_start is 0x${get('code32_start').toString(16)})`);
	}
	// Zero means four, for kernels of the last century.
	const start = ((get('setup_sects') || 4) + 1) * bootProtocol.sectorSize;
	const {paragraph} = bootProtocol;
	const promised = get('syssize') === 0 ? bytes.length : start + get('syssize') * paragraph;
	// The size is rounded up to a paragraph, and not everybody pads the file.
	if (promised >= bytes.length + paragraph) throw truncated(promised);
	const payload = bytes.subarray(Math.min(start, bytes.length), promised);
	const entryOffset = bits === 64 ? bootProtocol.entryOffset : 0;
	if (payload.length <= entryOffset) throw truncated(start + entryOffset + 1);

	const end = Math.min(0x202 + get('jump_length'), setupHeaderEnd, bytes.length);
	for (const [name, since] of Object.entries(fieldVersion) as [HeaderField, number][]) {
		const {offset, size} = bootParams.field[name];
		if (version >= since && end < offset + size) {
			throw loaderError('KERNEL_INVALID', {what: `its setup header ends at 0x${end.toString(16)}, before ${name}`});
		}
	}
	return {
		bits,
		bytes: bytes.subarray(headerStart, end),
		payload,
		payloadSize: promised - start,
		commandLineLimit: get('cmdline_size') || bootProtocol.shortCommandLine,
		initrdLimit: bits === 64 && flag('xloadflags', bootProtocol.above4G) ? 2 ** 52 : get('initrd_addr_max') + 1,
		preferredAddress: get('pref_address'),
		initSize: find('init_size'),
	};
}

const realMode = (why: string) => loaderError('KERNEL_NEEDS_FIRMWARE', {why});
