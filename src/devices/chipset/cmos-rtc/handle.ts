/** Names this device in machine descriptions. */
export const cmosRtcKind = 'cmos-rtc';

/** The input that the clock has on every PC (IBM PC/AT Technical Reference). */
export const cmosRtcIrq = 8;

/** The real-time clock and CMOS RAM of a machine. */
export interface CmosRtcConfig {
	/** Wall-clock time at power-on, milliseconds since 1970 in the guest's RTC time zone (UTC by default). */
	readonly baseTimeMs: number;
	/** RAM below 4 GiB, in bytes. */
	readonly lowMemory: number;
	/** RAM at and above 4 GiB, in bytes. */
	readonly highMemory: number;
	/** Input of the interrupt controller; the PC's 8 by default. */
	readonly irq?: number;
}
