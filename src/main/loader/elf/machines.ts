/** `e_machine` values (ELF gABI, "Machine" registry). */
export const elfMachine = {i386: 3, x86_64: 62} as const;

const names: Readonly<Record<number, string>> = {
	2: 'a SPARC kernel',
	3: 'an i386 kernel',
	4: 'an m68k kernel',
	8: 'a MIPS kernel',
	20: 'a PowerPC kernel',
	21: 'a 64-bit PowerPC kernel',
	22: 'an s390 kernel',
	40: 'a 32-bit ARM kernel',
	43: 'a 64-bit SPARC kernel',
	50: 'an Itanium kernel',
	62: 'an x86-64 kernel',
	183: 'an aarch64 kernel',
	243: 'a RISC-V kernel',
	247: 'a BPF program',
	258: 'a LoongArch kernel',
};

/** The architecture of an ELF file, as it is put in a sentence. */
export function machineName(machine: number): string {
	return names[machine] ?? `a kernel for an unknown architecture (ELF machine ${machine})`;
}
