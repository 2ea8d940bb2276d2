/**
 * Registers of the local APIC (Intel SDM volume 3, chapter 11; chapter 10 in editions before 2022). A register's number is a
 * sixteenth of its offset in the page (table 11-1), and what its MSR has above 0x800 (table 11-6).
 */
export const Register = {
	ID: 0x02,
	VERSION: 0x03,
	TPR: 0x08,
	/** Arbitration priority and remote read: of older processors, zero. */
	APR: 0x09,
	PPR: 0x0a,
	EOI: 0x0b,
	RRD: 0x0c,
	LDR: 0x0d,
	DFR: 0x0e,
	SVR: 0x0f,
	/** The first of eight each. */
	ISR: 0x10,
	TMR: 0x18,
	IRR: 0x20,
	ESR: 0x28,
	ICR: 0x30,
	ICR_HIGH: 0x31,
	LVT_TIMER: 0x32,
	LVT_THERMAL: 0x33,
	LVT_PERFORMANCE: 0x34,
	LVT_LINT0: 0x35,
	LVT_LINT1: 0x36,
	LVT_ERROR: 0x37,
	INITIAL_COUNT: 0x38,
	CURRENT_COUNT: 0x39,
	DIVIDE: 0x3e,
	SELF_IPI: 0x3f,
} as const;
export const registerCount = 0x40;
/** Number of registers that have a bit for each vector. */
export const vectorRegisters = 8;
/** Vectors that are exceptions', and no interrupt can have (11.5.2). */
export const illegalVectors = 16;

/** First MSR of the x2APIC, and the first behind those that are kept for it (11.12.1.2). */
export const x2apicMsrs = {first: 0x800, end: 0x900} as const;
export const Msr = {APIC_BASE: 0x1b, TSC_DEADLINE: 0x6e0} as const;

/** IA32_APIC_BASE (11.4.4, 11.12.1): bits of its lower half. */
export const Base = {
	BSP: 1 << 8,
	EXTD: 1 << 10,
	EN: 1 << 11,
	/** Both bits of the mode. */
	MODE: (1 << 10) | (1 << 11),
	RESERVED: 0x2ff,
} as const;
/** Address of the page after reset. */
export const defaultPage = 0xfee0_0000 | 0;

/** Version 0x14, of six LVT entries, which cannot suppress the broadcast of ends of interrupts (11.4.8). */
export const versionValue = 0x14 | (5 << 16);

export const Svr = {ENABLED: 1 << 8, INITIAL: 0xff} as const;

/** Bits that a command and entries of the LVT have in common, and messages of devices too (figures 11-8, 11-12 and 11-25). */
export const Command = {
	VECTOR: 0xff,
	MODE_SHIFT: 8,
	MODE: 7 << 8,
	LOGICAL: 1 << 11,
	/** Not to be written, and never set: sending takes no time. */
	BUSY: 1 << 12,
	ASSERT: 1 << 14,
	LEVEL: 1 << 15,
	SHORTHAND_SHIFT: 18,
	/** Reserved bits in x2APIC mode (figure 11-28). */
	RESERVED: 0xfff3_2000 | 0,
} as const;
export const DeliveryMode = {fixed: 0, lowestPriority: 1, smi: 2, nmi: 4, init: 5, startup: 6, external: 7} as const;
export const Shorthand = {none: 0, self: 1, all: 2, others: 3} as const;

/** An entry of the local vector table (11.5.1). */
export const Lvt = {
	MASKED: 1 << 16,
	TIMER_MODE_SHIFT: 17,
	TIMER_MODE: 3 << 17,
} as const;
export const TimerMode = {oneShot: 0, periodic: 1, deadline: 2} as const;
export const lvtRegisters = [
	Register.LVT_TIMER,
	Register.LVT_THERMAL,
	Register.LVT_PERFORMANCE,
	Register.LVT_LINT0,
	Register.LVT_LINT1,
	Register.LVT_ERROR,
] as const;

/** Bits of the error status (11.5.3). */
export const ErrorBit = {sentIllegalVector: 1 << 5, receivedIllegalVector: 1 << 6, illegalRegister: 1 << 7} as const;

/** In the cluster model all bits of the DFR's model are clear, in the flat one all set (11.6.2.2). */
export const Dfr = {MODEL: 0xf000_0000 | 0, RESERVED: 0x0fff_ffff} as const;

/** Accesses that a register allows. */
type Access = '' | 'r' | 'w' | 'rw';
/** Rules of a register in both modes. */
export interface RegisterRule {
	readonly xapic: Access;
	readonly x2apic: Access;
	/** Bits that software can change: in x2APIC mode others fault where they are set. */
	readonly writable: number;
	/** Bits that software can set without any effect, also in x2APIC mode: they tell how delivery goes. */
	readonly status: number;
}

const rule = (xapic: Access, x2apic: Access, writable = 0, status = 0): RegisterRule => ({
	xapic,
	x2apic,
	writable,
	status,
});
const eight = (first: number): [number, RegisterRule][] =>
	Array.from({length: vectorRegisters}, (_, index) => [first + index, rule('r', 'r')]);
const all = 0xffff_ffff | 0;
const delivery = Command.BUSY;
const lint = Command.BUSY | (1 << 14);

/** Registers by number (tables 11-1 and 11-6). */
export const registerRules: ReadonlyMap<number, RegisterRule> = new Map([
	[Register.ID, rule('r', 'r')],
	[Register.VERSION, rule('r', 'r')],
	[Register.TPR, rule('rw', 'rw', 0xff)],
	[Register.APR, rule('r', '')],
	[Register.PPR, rule('r', 'r')],
	[Register.EOI, rule('w', 'w')],
	[Register.RRD, rule('r', '')],
	[Register.LDR, rule('rw', 'r', 0xff00_0000 | 0)],
	[Register.DFR, rule('rw', '', Dfr.MODEL)],
	// Bit 9 has no effect for a long time, but kernels set it.
	[Register.SVR, rule('rw', 'rw', 0x3ff)],
	...eight(Register.ISR),
	...eight(Register.TMR),
	...eight(Register.IRR),
	[Register.ESR, rule('rw', 'rw')],
	[Register.ICR, rule('rw', 'rw', ~Command.RESERVED & ~Command.BUSY, Command.BUSY)],
	[Register.ICR_HIGH, rule('rw', '', 0xff00_0000 | 0)],
	[Register.LVT_TIMER, rule('rw', 'rw', 0x7_00ff, delivery)],
	[Register.LVT_THERMAL, rule('rw', 'rw', 0x1_07ff, delivery)],
	[Register.LVT_PERFORMANCE, rule('rw', 'rw', 0x1_07ff, delivery)],
	[Register.LVT_LINT0, rule('rw', 'rw', 0x1_a7ff, lint)],
	[Register.LVT_LINT1, rule('rw', 'rw', 0x1_a7ff, lint)],
	[Register.LVT_ERROR, rule('rw', 'rw', 0x1_00ff, delivery)],
	[Register.INITIAL_COUNT, rule('rw', 'rw', all)],
	[Register.CURRENT_COUNT, rule('r', 'r')],
	[Register.DIVIDE, rule('rw', 'rw', 0xb)],
	[Register.SELF_IPI, rule('', 'w', 0xff)],
]);
