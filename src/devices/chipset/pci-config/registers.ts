/** PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2). */
export const addressPort = 0xcf8;
export const dataPort = 0xcfc;
export const portCount = 4;

/** CONFIG_ADDRESS bits that exist: enable, bus, device, function, register. The rest reads zero. */
export const addressMask = 0x80fffffc;

/** Parts of CONFIG_ADDRESS. */
export const ConfigAddress = {ENABLE: 1 << 31, busShift: 16, devfnShift: 8, REGISTER: 0xfc} as const;

/** Reset control register (Intel 82371AB PIIX4 data sheet, RC): a byte inside the address port's range. */
export const ResetControl = {
	/** Offset from {@link addressPort}. */
	OFFSET: 1,
	/** Resets the whole machine rather than the processors. */
	SYS_RST: 1 << 1,
	/** Going from 0 to 1 resets. */
	RST_CPU: 1 << 2,
	/** Bits that hold what was written: the two, and the full-reset bit of later chipsets. */
	WRITABLE: 0x0e,
} as const;
