/**
 * The watchdog of Hyper-V, which has no public data sheet: ports, registers and bits are those of OpenVMM
 * (vm/devices/watchdog, guest_watchdog and watchdog_core).
 */
export const Port = {
	/** Selects the register. */
	ADDRESS: 0,
	DATA: 4,
} as const;

/** Ports that the device takes up. */
export const portCount = 8;

/** Registers, 32 bits wide. */
export const Register = {
	CONFIG: 0x27,
	/** Seconds of one count; read only. */
	RESOLUTION: 0x28,
	/** Counts until the watchdog fires. */
	COUNT: 0x29,
} as const;

/** Configuration bits. Both of the first two start the watchdog anew with each write; a write with others is refused. */
export const Config = {
	CONFIGURED: 1 << 0,
	ENABLED: 1 << 1,
	/** Kept without a meaning. */
	ONE_SHOT: 1 << 4,
	/** The latest reset was the watchdog's. Written as one to clear it. */
	BOOT_STATUS: 1 << 8,
} as const;

/** Bits of a running watchdog. */
export const running = Config.CONFIGURED | Config.ENABLED;

/** Configuration bits that hold what was written. */
export const configWritable = running | Config.ONE_SHOT;

export const resolutionSeconds = 1;

/** Two minutes. */
export const defaultCount = 120;

/** Value of a register that does not exist. */
export const allOnes = 0xffff_ffff;
