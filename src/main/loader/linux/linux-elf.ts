import {type ElfFile, elfNotes} from '../elf/index.ts';

const banner = 'Linux version ';

/** True for a Linux kernel: they mark themselves with notes since 4.19, and with their banner at all times. */
export function isLinuxElf(elf: ElfFile, bytes: Uint8Array): boolean {
	if (elfNotes(elf, bytes).some(({owner}) => owner === 'Linux')) return true;
	const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(banner);
	return at >= 0 && /\d/.test(String.fromCharCode(bytes[at + banner.length] ?? 0));
}
