import {array, bytes, reserved, u8, u16, u32, u64, wire} from '#support/wire';

/** The general registers in the order of their numbers in instructions (SDM volume 2, table 3-1). */
export const generalRegisters = [
	'rax',
	'rcx',
	'rdx',
	'rbx',
	'rsp',
	'rbp',
	'rsi',
	'rdi',
	'r8',
	'r9',
	'r10',
	'r11',
	'r12',
	'r13',
	'r14',
	'r15',
] as const;
export type GeneralRegister = (typeof generalRegisters)[number];

/** Bits of RFLAGS that a case may set and that are compared (SDM volume 1, 3.4.3). */
export const Rflags = {CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, DF: 0x400, OF: 0x800} as const;
export type StatusFlag = Exclude<keyof typeof Rflags, 'DF'>;
/** Bits of RFLAGS that user mode finds set: the one that always is, and IF. */
export const fixedRflags = 0x202;

/** A register of the x87 stack: an 80-bit number, or in its low half an MMX register. */
const X87Register = wire('x87 register', {significand: u64, signExponent: u16, padding: reserved(6)});

/**
 * The area of XSAVE in its standard form, with the x87, SSE and AVX components (SDM volume 1, tables 10-2 and 13-1). XMM and YMM
 * registers are pairs of 64-bit lanes.
 */
export const XsaveArea = wire('xsave area', {
	fcw: u16.initial(0x37f),
	fsw: u16,
	/** One bit for each physical register: it is not empty. */
	ftw: u8,
	padding1: reserved(1),
	fop: u16,
	fip: u64,
	fdp: u64,
	mxcsr: u32.initial(0x1f80),
	mxcsrMask: u32,
	/** By place in the stack: ST(0) first. */
	st: array(X87Register, 8),
	xmm: array(u64, 32),
	padding2: reserved(96),
	/** The components that the area holds: x87, SSE, AVX. */
	xstateBv: u64.initial(7),
	padding3: reserved(56),
	ymmHigh: array(u64, 32),
}).sized(832);

/** Bytes of memory that are part of a case. */
export const windowBytes = 512;
/** Bytes of code that are part of a case. */
export const codeBytes = 64;
/** {@link ProcessorState}'s `vector` where nothing faulted. */
export const noVector = 0xffff_ffff;

/** All that an instruction of 64-bit user mode can read and write. */
export const ProcessorState = wire('processor state', {
	/** In the order of {@link generalRegisters}. */
	gpr: array(u64, 16),
	rip: u64,
	rflags: u64.initial(fixedRflags),
	/** The exception that ended the case, {@link noVector} if none did. The rest is the state that its handler would find. */
	vector: u32.initial(noVector),
	errorCode: u32,
	/** The address that faulted, for a page fault. */
	cr2: u64,
	padding: reserved(32),
	xsave: XsaveArea,
	/** The window of memory, see `layout.ts`. */
	memory: bytes(windowBytes),
}).sized(1536);

/** One case: code, the state before it and the state after it. */
export const CaseRecord = wire('case', {
	before: ProcessorState,
	after: ProcessorState,
	code: bytes(codeBytes),
	padding: reserved(64),
}).sized(3200);
