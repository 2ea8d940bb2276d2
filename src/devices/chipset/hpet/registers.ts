/** Registers of the high precision event timer; register and field names are those of the IA-PC HPET Specification 1.0a. */

/** Bytes of memory that the registers take up ("memory mapped registers"). */
export const regionLength = 0x400;

/** Comparators, each with its timer. */
export const timerCount = 3;

/** The main counter's period in femtoseconds: the longest that is allowed (COUNTER_CLK_PERIOD). */
export const periodFs = 100_000_000;

/** Offsets of 32-bit registers. A 64-bit register's higher half follows the lower. */
export const Offset = {
	CAPABILITIES: 0x00,
	PERIOD: 0x04,
	CONFIGURATION: 0x10,
	STATUS: 0x20,
	COUNTER_LOW: 0xf0,
	COUNTER_HIGH: 0xf4,
	/** Registers of timer 0; those of the others follow. */
	TIMERS: 0x100,
	TIMER_BYTES: 0x20,
} as const;

/** Offsets within a timer's registers. */
export const TimerOffset = {
	CONFIGURATION: 0x00,
	ROUTES: 0x04,
	COMPARATOR_LOW: 0x08,
	COMPARATOR_HIGH: 0x0c,
	FSB_VALUE: 0x10,
	FSB_ADDRESS: 0x14,
} as const;

/** Bits 31:0 of the General Capabilities and ID: a 64-bit counter, three timers, legacy replacement, and Intel's vendor ID. */
export const capabilities = ((0x8086 << 16) | (1 << 15) | (1 << 13) | ((timerCount - 1) << 8) | 0x01) >>> 0;

/** General Configuration. */
export const General = {
	/** The counter runs and timers interrupt. */
	ENABLE: 1 << 0,
	/** Timers 0 and 1 take the inputs of the PIT and the RTC. */
	LEGACY: 1 << 1,
	WRITABLE: 3,
} as const;

/** Timer N Configuration and Capabilities. */
export const Config = {
	LEVEL: 1 << 1,
	INTERRUPT: 1 << 2,
	PERIODIC: 1 << 3,
	PERIODIC_CAPABLE: 1 << 4,
	IS_64_BIT: 1 << 5,
	/** The next write of the comparator sets the accumulator too. Clears itself. */
	VALUE_SET: 1 << 6,
	MODE_32: 1 << 8,
	ROUTE_SHIFT: 9,
	ROUTE_MASK: 31,
	FSB: 1 << 14,
	FSB_CAPABLE: 1 << 15,
} as const;

/** Inputs of the I/O APIC that a timer can be routed to (Tn_INT_ROUTE_CAP). */
export const routeFirst = 20;
export const routeLast = 23;

/** Bits 63:32 of a timer's configuration: the inputs above, one bit each. */
export const routeCapabilities = ((1 << (routeLast + 1)) - (1 << routeFirst)) >>> 0;
