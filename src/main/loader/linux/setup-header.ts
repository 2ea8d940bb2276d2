import {loaderError} from '../errors.ts';
import {has, type Layout, readNumber} from '../fields.ts';

/**
 * Fields of `struct boot_params`, the zero page; from `setup_sects` on also of a bzImage's first sectors, where the
 * setup header lies at the same offset (Linux, Documentation/arch/x86/boot.rst and zero-page.rst).
 */
export const bootParams = {
	acpi_rsdp_addr: [0x070, 8],
	ext_ramdisk_image: [0x0c0, 4],
	ext_ramdisk_size: [0x0c4, 4],
	e820_entries: [0x1e8, 1],
	setup_sects: [0x1f1, 1],
	syssize: [0x1f4, 4],
	boot_flag: [0x1fe, 2],
	/** Low byte of the jump over the header: the header ends 0x202 plus this. */
	jump_length: [0x201, 1],
	header: [0x202, 4],
	version: [0x206, 2],
	type_of_loader: [0x210, 1],
	loadflags: [0x211, 1],
	code32_start: [0x214, 4],
	ramdisk_image: [0x218, 4],
	ramdisk_size: [0x21c, 4],
	cmd_line_ptr: [0x228, 4],
	initrd_addr_max: [0x22c, 4],
	kernel_alignment: [0x230, 4],
	relocatable_kernel: [0x234, 1],
	xloadflags: [0x236, 2],
	cmdline_size: [0x238, 4],
	pref_address: [0x258, 8],
	init_size: [0x260, 4],
} as const satisfies Layout;

/** Values of {@link bootParams}. */
export const bootProtocol = {
	bootFlag: 0xaa55,
	/** "HdrS". */
	magic: 0x5372_6448,
	/** 2.12: the first with `xloadflags`, so the first that can promise a 64-bit entry point. */
	minVersion: 0x020c,
	loadedHigh: 0x01,
	/** `xloadflags`: there is an entry point for 64-bit mode, 0x200 into the protected-mode code. */
	kernel64: 0x01,
	/** `xloadflags`: kernel, initrd and command line may lie above 4 GiB. */
	above4G: 0x02,
	/** A boot loader without a registered number, as OpenVMM. */
	unregisteredLoader: 0xff,
	entryOffset: 0x200,
	sectorSize: 512,
} as const;

/** The last byte of the zero page that the setup header may take: what follows is EDD data. */
export const setupHeaderEnd = 0x290;
const headerStart = 0x1f1;
const fixedHeaderEnd = 0x264;

/** What a bzImage's header says, checked. */
export interface SetupHeader {
	/** The header's bytes, for the zero page at 0x1f1. */
	readonly bytes: Uint8Array;
	/** Where the protected-mode code is in the file. */
	readonly payload: Uint8Array;
	/** Longest command line in bytes, without the closing zero byte. */
	readonly commandLineLimit: number;
	/** First address that an initrd may not touch. */
	readonly initrdLimit: number;
	/** Where the kernel wants to run when it was loaded below. */
	readonly preferredAddress: number;
	/** Memory it needs from where it runs, while it unpacks itself. */
	readonly initSize: number;
	/** As found, for the zero page. */
	readonly loadflags: number;
}

/** True when the file begins as a bzImage. */
export function isBzImage(bytes: Uint8Array): boolean {
	return (
		has(bytes, 0, 0x206) &&
		readNumber(bytes, 0, bootParams.boot_flag) === bootProtocol.bootFlag &&
		readNumber(bytes, 0, bootParams.header) === bootProtocol.magic
	);
}

/**
 * Reads a bzImage's header.
 * @throws VmmError KERNEL_TRUNCATED, KERNEL_PROTOCOL_OLD, KERNEL_32BIT_ONLY, KERNEL_INVALID
 */
export function readSetupHeader(bytes: Uint8Array): SetupHeader {
	const truncated = (promised: number) => loaderError('KERNEL_TRUNCATED', {found: bytes.length, promised});
	if (!has(bytes, 0, fixedHeaderEnd)) throw truncated(fixedHeaderEnd);
	const get = (name: keyof typeof bootParams) => readNumber(bytes, 0, bootParams[name]);

	const version = get('version');
	if (version < bootProtocol.minVersion) throw protocolOld(`version ${version >> 8}.${version & 0xff}`, '2.12');
	if ((get('loadflags') & bootProtocol.loadedHigh) === 0) throw protocolOld('it loads below 1 MiB (zImage)', 'bzImage');
	if ((get('xloadflags') & bootProtocol.kernel64) === 0) {
		throw loaderError('KERNEL_32BIT_ONLY', {what: 'its bzImage header offers no 64-bit entry point'});
	}
	// Zero means four, for kernels of the last century.
	const start = ((get('setup_sects') || 4) + 1) * bootProtocol.sectorSize;
	const promised = get('syssize') === 0 ? bytes.length : start + get('syssize') * 16;
	if (promised > bytes.length) throw truncated(promised);
	const payload = bytes.subarray(Math.min(start, promised), promised);
	if (payload.length <= bootProtocol.entryOffset) throw truncated(start + bootProtocol.entryOffset + 1);

	const end = Math.min(0x202 + get('jump_length'), setupHeaderEnd, bytes.length);
	if (end < fixedHeaderEnd) {
		throw loaderError('KERNEL_INVALID', {what: `its setup header ends at 0x${end.toString(16)}, before init_size`});
	}
	return {
		bytes: bytes.subarray(headerStart, end),
		payload,
		commandLineLimit: get('cmdline_size') || 255,
		initrdLimit: (get('xloadflags') & bootProtocol.above4G) === 0 ? get('initrd_addr_max') + 1 : 2 ** 52,
		preferredAddress: get('pref_address'),
		initSize: get('init_size'),
		loadflags: get('loadflags'),
	};
}

function protocolOld(found: string, needed: string) {
	return loaderError('KERNEL_PROTOCOL_OLD', {found, needed});
}
