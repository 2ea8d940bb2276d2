/** Address and data port (IBM PC/AT Technical Reference). */
export const ports = {base: 0x70, length: 2} as const;

/**
 * Registers of the Motorola MC146818A real-time clock (data sheet of 1984), and the CMOS RAM bytes that PC firmware
 * fills (Ralf Brown's CMOS list). The century's place is told to guests by the FADT.
 */
export const Cmos = {
	SECONDS: 0x00,
	SECONDS_ALARM: 0x01,
	MINUTES: 0x02,
	MINUTES_ALARM: 0x03,
	HOURS: 0x04,
	HOURS_ALARM: 0x05,
	/** 1 is Sunday. */
	DAY_OF_WEEK: 0x06,
	DAY_OF_MONTH: 0x07,
	MONTH: 0x08,
	YEAR: 0x09,
	A: 0x0a,
	B: 0x0b,
	C: 0x0c,
	D: 0x0d,
	/** Selects what a BIOS does after a reset; RAM to us. */
	SHUTDOWN_STATUS: 0x0f,
	EQUIPMENT: 0x14,
	/** KiB below 1 MiB, two bytes. */
	BASE_MEMORY: 0x15,
	/** KiB between 1 MiB and 64 MiB, two bytes. */
	EXTENDED_MEMORY: 0x17,
	/** Sum of the bytes 0x10–0x2d, high byte first. */
	CHECKSUM: 0x2e,
	/** {@link EXTENDED_MEMORY} again, as found by the BIOS. */
	EXTENDED_MEMORY_FOUND: 0x30,
	CENTURY: 0x32,
	/** Units of 64 KiB between 16 MiB and 4 GiB, two bytes. */
	MEMORY_ABOVE_16M: 0x34,
	/** Units of 64 KiB from 4 GiB, three bytes. */
	MEMORY_ABOVE_4G: 0x5b,
} as const;

/** Bytes behind the address register. */
export const cmosSize = 128;

/** Register A. */
export const RegisterA = {
	/** Update in progress: the time registers may change within the next {@link updateMs}. Read-only. */
	UIP: 1 << 7,
	DIVIDER_MASK: 0x70,
	/** The divider setting for a 32.768 kHz crystal; any other stops the clock. */
	DIVIDER_32KHZ: 0x20,
	/** Selects the periodic interrupt; 0 is none. */
	RATE_MASK: 0x0f,
	/** 32.768 kHz, 976.562 µs periodic rate. */
	INITIAL: 0x26,
} as const;

/** Register B. */
export const RegisterB = {
	HOURS_24: 1 << 1,
	/** Binary rather than BCD. */
	BINARY: 1 << 2,
	/** Update-ended interrupt enable. */
	UIE: 1 << 4,
	/** Alarm interrupt enable. */
	AIE: 1 << 5,
	/** Periodic interrupt enable. */
	PIE: 1 << 6,
	/** Stops updates so that the time can be set. */
	SET: 1 << 7,
	INITIAL: 0x02,
} as const;

/** Register C. */
export const RegisterC = {
	/** Update ended. */
	UF: 1 << 4,
	/** Alarm. */
	AF: 1 << 5,
	/** Periodic: the selected tap of the divider had an edge. */
	PF: 1 << 6,
	/** Any flag whose interrupt is enabled. */
	IRQF: 1 << 7,
} as const;

/** The three interrupts: an enable in register B is the same bit as its flag in register C. */
export const interruptBits = RegisterB.UIE | RegisterB.AIE | RegisterB.PIE;

/** The bytes that hold the alarm. */
export const alarmBytes: readonly number[] = [Cmos.SECONDS_ALARM, Cmos.MINUTES_ALARM, Cmos.HOURS_ALARM];

/** An alarm byte from here on matches every time (data sheet, "don't care" codes). */
export const alarmAny = 0xc0;

/** Register D: RAM and time are valid. */
export const RegisterD = {VRT: 1 << 7} as const;

/** Afternoon, in the hours register in 12-hour mode. */
export const pmBit = 0x80;

/** UIP rises 244 µs before an update, which takes 1984 µs (table 6, 32.768 kHz). */
export const updateMs = 2.228;

/** The first update comes half a second after the divider is started (data sheet, register A, DV2 to DV0). */
export const dividerStartMs = 500;
