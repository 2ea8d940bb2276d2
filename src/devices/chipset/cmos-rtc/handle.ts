/** Names this device in machine descriptions. */
export const cmosRtcKind = 'cmos-rtc';

/** The real-time clock and CMOS RAM of a machine. */
export interface CmosRtcConfig {
	/** Wall-clock time at power-on, milliseconds since 1970 in the guest's RTC time zone (UTC by default). */
	readonly baseTimeMs: number;
	/** RAM below 4 GiB, in bytes. */
	readonly lowMemory: number;
	/** RAM at and above 4 GiB, in bytes. */
	readonly highMemory: number;
}
