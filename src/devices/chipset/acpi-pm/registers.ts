/**
 * ACPI fixed hardware (ACPI 6.5, section 4.8) at the offsets of Hyper-V and OpenVMM, which follow the Intel 82371AB
 * (PIIX4) data sheet, section 7.2. The ACPI tables are written from this.
 */
export const pmLayout = {
	/** Default first port. */
	base: 0x400,
	/** Ports in the block. */
	length: 0x37,
	/** Default interrupt: level, active high. */
	sciIrq: 9,
	/** PM1 status, 2 bytes; with `enable` the PM1a event block of {@link eventLength} bytes. */
	status: 0x00,
	/** PM1 enable (PIIX4: resume enable), 2 bytes. */
	enable: 0x02,
	eventLength: 4,
	/** PM1 control, 2 bytes. */
	control: 0x04,
	controlLength: 2,
	/** PM timer, 4 bytes. */
	timer: 0x08,
	timerLength: 4,
	/** General-purpose event status, 2 bytes; with `gpeEnable` the GPE0 block of {@link gpeLength} bytes. */
	gpeStatus: 0x0c,
	gpeEnable: 0x0e,
	gpeLength: 4,
	/** The FADT's reset register, 1 byte, and the value that resets. */
	reset: 0x33,
	resetValue: 0x01,
	/** SLP_TYP values for the DSDT's `_S4` and `_S5`. */
	sleepTypes: {s4: 1, s5: 0},
} as const;

/** Frequency of the PM timer in hertz (4.8.2.1). Its 32 bits need the FADT's TMR_VAL_EXT. */
export const timerHz = 3_579_545;

/** PM1 status bits that are ever set (4.8.3.1.1). */
export const Pm1Status = {PWRBTN: 1 << 8} as const;

/** PM1 control register (4.8.3.2.1). */
export const Pm1Control = {
	/** ACPI mode. Always set: there is no SMI to switch it. */
	SCI_EN: 1 << 0,
	SLP_TYP_SHIFT: 10,
	SLP_TYP_MASK: 7,
	/** Enters the sleep state; reads zero. */
	SLP_EN: 1 << 13,
	/** Bits that hold what was written: BM_RLD and SLP_TYP. */
	WRITABLE: 0x1c02,
} as const;

/** PM1 enable bits that hold what was written: TMR_EN, GBL_EN, PWRBTN_EN, RTC_EN (4.8.3.1.2). */
export const pm1EnableWritable = 0x0521;
