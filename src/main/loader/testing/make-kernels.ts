import type {InputOf} from '#support/wire';
import {bootParams} from '../linux/setup-header.ts';
import {multibootHeader} from '../multiboot/header.ts';

/** A bzImage of protocol 2.15 with four setup sectors, as Debian's: 1 MiB of code that needs 4 MiB at 16 MiB. */
export function makeBzImage(fields: InputOf<typeof bootParams> = {}, payload = 0x100000): Uint8Array {
	const bytes = new Uint8Array(5 * 512 + payload);
	bytes.fill(0xcc, 5 * 512);
	bootParams.patch(bytes, 0, {
		setup_sects: 4,
		syssize: payload / 16,
		boot_flag: 0xaa55,
		jump_length: 0x6a,
		header: 0x5372_6448,
		version: 0x020f,
		loadflags: 1,
		code32_start: 0x10_0000,
		initrd_addr_max: 0x7fff_ffff,
		kernel_alignment: 0x20_0000,
		relocatable_kernel: 1,
		xloadflags: 0x7f,
		cmdline_size: 2047,
		pref_address: 0x100_0000,
		init_size: 0x40_0000,
		...fields,
	});
	return bytes;
}

/** A multiboot kernel of 4 KiB for 1 MiB with another 4 KiB zeroed, its header 16 bytes in, with addresses. */
export function makeMultiboot(fields: {[K in keyof InputOf<typeof multibootHeader>]: number} = {}): Uint8Array {
	const bytes = new Uint8Array(0x1000).fill(0x90);
	const flags = fields.flags ?? 0x10003;
	multibootHeader.patch(bytes, 16, {
		magic: 0x1bad_b002,
		flags,
		checksum: 2 ** 32 - 0x1bad_b002 - flags,
		header_addr: 0x100010,
		load_addr: 0x100000,
		load_end_addr: 0x101000,
		bss_end_addr: 0x102000,
		entry_addr: 0x100040,
		...fields,
	});
	return bytes;
}
