/**
 * The battery of Hyper-V, which has no public data sheet: offsets and values are those of OpenVMM (vm/devices/chipset,
 * battery), which serve the methods of ACPI 6.5, sections 10.2 and 10.3.
 */
export const Offset = {
	/** Value of `_STA`. */
	STATUS: 0x00,
	/** `_BST`: state, present rate, remaining capacity. */
	STATE: 0x04,
	RATE: 0x08,
	REMAINING: 0x0c,
	/** `_PSR` of the adapter. */
	AC_ONLINE: 0x10,
	/** Changes that the guest has not been told of yet, {@link Notify}; written as ones at CLEAR. */
	NOTIFY_STATUS: 0x14,
	NOTIFY_CLEAR: 0x18,
} as const;

/** Bytes of memory that the registers take up. */
export const regionLength = 0x20;

/** `_STA` (ACPI 6.5, 6.3.7): the device is there and works; bit 4 says that it holds a battery. */
export const Status = {EMPTY: 0x0f, PRESENT: 0x1f} as const;

/** Battery state of `_BST` (ACPI 6.5, 10.2, Battery Status). */
export const State = {DISCHARGING: 1 << 0, CHARGING: 1 << 1} as const;

export const Notify = {
	/** Not used: the other one asks for both. */
	STATE_CHANGED: 1 << 0,
	/** State and information may have changed. */
	INFORMATION_CHANGED: 1 << 1,
} as const;

/** Charge that every battery seems to hold, in milliwatt hours: `_BIF` says so, and all values are scaled to it. */
export const designCapacityMwh = 5000;

/** "Unknown" in `_BST`. */
export const unknown = 0xffff_ffff;
