/** A segment register with its hidden part (Intel SDM vol. 3, 3.4.5). */
export interface Segment {
	readonly base: bigint;
	readonly limit: number;
	readonly selector: number;
	/** Descriptor type, 4 bits. */
	readonly type: number;
	readonly present: boolean;
	/** Descriptor privilege level, 0–3. */
	readonly dpl: number;
	/** Default operation size: 32-bit when set. */
	readonly db: boolean;
	/** Code or data rather than system. */
	readonly s: boolean;
	/** 64-bit code. */
	readonly l: boolean;
	/** The limit counts 4 KiB pages. */
	readonly g: boolean;
}

/** GDTR or IDTR. */
export interface DescriptorTable {
	readonly base: bigint;
	readonly limit: number;
}

export const generalRegisterNames = [
	'rax',
	'rbx',
	'rcx',
	'rdx',
	'rsi',
	'rdi',
	'rsp',
	'rbp',
	'r8',
	'r9',
	'r10',
	'r11',
	'r12',
	'r13',
	'r14',
	'r15',
	'rip',
	'rflags',
] as const;

/** General registers, RIP and RFLAGS. */
export type GeneralRegisters = Readonly<Record<(typeof generalRegisterNames)[number], bigint>>;

export const segmentNames = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;

/** Segments, descriptor tables and control registers. */
export interface SpecialRegisters extends Readonly<Record<(typeof segmentNames)[number], Segment>> {
	readonly gdt: DescriptorTable;
	readonly idt: DescriptorTable;
	readonly cr0: bigint;
	readonly cr2: bigint;
	readonly cr3: bigint;
	readonly cr4: bigint;
	readonly cr8: bigint;
	readonly efer: bigint;
	readonly apicBase: bigint;
}

/** Registers that a boot protocol asks of the boot processor, on top of its state after INIT. */
export interface BootRegisters {
	readonly general: Partial<GeneralRegisters>;
	readonly special: Partial<SpecialRegisters>;
}
