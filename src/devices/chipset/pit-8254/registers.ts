/**
 * Ports and bits of the Intel 8254 programmable interval timer (data sheet 231164-005) and of the NMI status and control
 * register beside it (Intel ICH9 data sheet 316972, section 13.7.1).
 */
export const counterPorts = {base: 0x40, length: 4} as const;

/** Offset of the control word register behind the three counters. Write-only. */
export const controlOffset = 3;

/** Value that a read of the write-only register finds: nothing drives the bus. */
export const floatingBus = 0xff;

/** Frequency of the three counters' clock inputs in hertz: a PC's 14.31818 MHz crystal divided by 12. */
export const pitFrequencyHz = 1_193_182;

/** Control word (figure 7). */
export const ControlWord = {
	/** Bits 6 and 7: a counter, or {@link readBackSelect}. */
	SELECT_SHIFT: 6,
	/** Bits 4 and 5: one of {@link Access}. */
	ACCESS_SHIFT: 4,
	ACCESS_MASK: 3,
	/** Bits 1 to 3. */
	MODE_SHIFT: 1,
	MODE_MASK: 7,
	BCD: 1 << 0,
	/** The bits that the status byte repeats. */
	KEPT: 0x3f,
	/** Mode 0, both bytes, binary. The data sheet leaves the state after power-on undefined. */
	INITIAL: 0x30,
} as const;

/** Bytes of the count that are read and written. */
export const Access = {
	/** Not an access mode but the counter latch command (figure 9). */
	LATCH: 0,
	LSB: 1,
	MSB: 2,
	BOTH: 3,
} as const;

/** The counter select value of the read-back command. */
export const readBackSelect = 3;

/** Read-back command (figure 10). */
export const ReadBack = {
	/** Latches the count when zero. */
	NO_COUNT: 1 << 5,
	/** Latches the status when zero. */
	NO_STATUS: 1 << 4,
	/** Bit 1 selects counter 0, bit 2 counter 1, bit 3 counter 2. */
	COUNTER_0: 1 << 1,
} as const;

/** Status byte (figure 11), above the bits of {@link ControlWord.KEPT}. */
export const Status = {
	OUTPUT: 1 << 7,
	/** The count last written has not reached the counting element. */
	NULL_COUNT: 1 << 6,
} as const;

/** Port of the NMI status and control register. */
export const nmiPort = 0x61;

/** NMI status and control register. */
export const NmiControl = {
	/** Gate of counter 2. */
	GATE_2: 1 << 0,
	SPEAKER: 1 << 1,
	/** Bits that hold what was written: the two above and the NMI enables. */
	WRITABLE: 0x0f,
	/** Changes with every refresh cycle. Read-only. */
	REFRESH: 1 << 4,
	/** Output of counter 2. Read-only. */
	OUTPUT_2: 1 << 5,
} as const;

/** Time between two refresh cycles in nanoseconds: 18 clocks of counter 1 on an AT. */
export const refreshNs = 15_085;
