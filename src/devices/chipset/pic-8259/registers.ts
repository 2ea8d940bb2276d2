/**
 * The 8259A's command words (Intel 8259A data sheet) and the edge/level control registers of the Intel 82371AB (PIIX4)
 * data sheet.
 */
export const ports = {master: 0x20, slave: 0xa0, elcr: 0x4d0} as const;

/** Inputs of one chip. */
export const inputsPerChip = 8;
/** The master's input that the slave's INT output drives. */
export const cascadeInput = 2;
/** "Default IR7": what a chip answers to INTA when nothing requests. */
export const spuriousInput = 7;

/** Place in the initialization sequence. */
export const Phase = {
	/** After power-on, before the first ICW1. */
	POWER_ON: 0,
	/** The next write with A0 = 1 is ICW2, and so on. */
	ICW2: 2,
	ICW3: 3,
	ICW4: 4,
	/** "Ready to accept interrupt requests". */
	READY: 5,
} as const;

/** Command port (A0 = 0): bits 4 and 3 tell the words apart. */
export const CommandWord = {ICW1: 1 << 4, OCW3: 1 << 3} as const;

export const Icw1 = {
	/** ICW4 follows. */
	IC4: 1 << 0,
	/** No cascade: ICW3 does not follow. */
	SNGL: 1 << 1,
	/** All inputs are level-triggered. */
	LTIM: 1 << 3,
} as const;

/** ICW2: bits of the vector that are not the input's number. */
export const vectorBaseMask = 0xf8;

export const Icw4 = {
	/** Automatic end of interrupt. */
	AEOI: 1 << 1,
	/** Special fully nested mode. */
	SFNM: 1 << 4,
} as const;

/** OCW2: the input in the low bits, and bits R, SL and EOI as one number. */
export const Ocw2 = {
	INPUT_MASK: 7,
	OPERATION_SHIFT: 5,
	CLEAR_ROTATE_ON_AEOI: 0,
	NON_SPECIFIC_EOI: 1,
	SPECIFIC_EOI: 3,
	SET_ROTATE_ON_AEOI: 4,
	ROTATE_ON_NON_SPECIFIC_EOI: 5,
	SET_PRIORITY: 6,
	ROTATE_ON_SPECIFIC_EOI: 7,
} as const;

export const Ocw3 = {
	/** Read ISR, else IRR; counts when RR is set. */
	RIS: 1 << 0,
	RR: 1 << 1,
	/** Poll command. */
	P: 1 << 2,
	/** Special mask mode; counts when ESMM is set. */
	SMM: 1 << 5,
	ESMM: 1 << 6,
} as const;

/** In the answer to a poll: an input requested. */
export const pollRequest = 1 << 7;

/** ELCR bits that exist, of master and slave: IRQ 0, 1, 2, 8 and 13 are always edge-triggered. */
export const elcrWritable = [0xf8, 0xde] as const;
