/**
 * Configuration header (PCI Local Bus 3.0, 6.1; PCI-to-PCI Bridge 1.2, 3.2; PCI Express Base 6.0, 7.5.1). Offsets in
 * bytes.
 */
export const Header = {
	VENDOR: 0x00,
	DEVICE: 0x02,
	COMMAND: 0x04,
	STATUS: 0x06,
	REVISION: 0x08,
	CLASS: 0x09,
	CACHE_LINE: 0x0c,
	TYPE: 0x0e,
	BAR0: 0x10,
	SUBSYSTEM_VENDOR: 0x2c,
	SUBSYSTEM_DEVICE: 0x2e,
	CAPABILITIES: 0x34,
	INTERRUPT_LINE: 0x3c,
	INTERRUPT_PIN: 0x3d,
	/** The capabilities own what lies behind. */
	END: 0x40,
} as const;

/** Registers of a bridge in place of most BARs (PCI-to-PCI Bridge 1.2, 3.2.5). */
export const Bridge = {
	PRIMARY_BUS: 0x18,
	SECONDARY_BUS: 0x19,
	SUBORDINATE_BUS: 0x1a,
	IO_BASE: 0x1c,
	IO_LIMIT: 0x1d,
	MEMORY_BASE: 0x20,
	MEMORY_LIMIT: 0x22,
	PREFETCHABLE_BASE: 0x24,
	PREFETCHABLE_LIMIT: 0x26,
	PREFETCHABLE_BASE_UPPER: 0x28,
	PREFETCHABLE_LIMIT_UPPER: 0x2c,
	CONTROL: 0x3e,
} as const;

/** Bridge control register (PCI-to-PCI Bridge 1.2, 3.2.5.18; PCI Express Base 6.0, 7.5.1.3.13). */
export const BridgeControl = {PARITY: 1 << 0, SERR: 1 << 1, SECONDARY_RESET: 1 << 6} as const;

/** Command register (7.5.1.1.3). */
export const Command = {
	IO: 1 << 0,
	MEMORY: 1 << 1,
	MASTER: 1 << 2,
	PARITY: 1 << 6,
	SERR: 1 << 8,
	INTX_DISABLE: 1 << 10,
} as const;

/** Status register (7.5.1.1.4). */
export const Status = {
	INTERRUPT: 1 << 3,
	CAPABILITIES: 1 << 4,
} as const;

export const HeaderType = {ENDPOINT: 0, BRIDGE: 1, MULTI_FUNCTION: 0x80} as const;

/** Low bits of a BAR (7.5.1.2.1). */
export const BarFlag = {IO: 1, MEMORY_64: 0b100, PREFETCHABLE: 0b1000} as const;

/** Capability ids (PCI Code and ID Assignment 1.11, 2). */
export const CapabilityId = {MSI: 0x05, EXPRESS: 0x10, MSIX: 0x11} as const;
/** Extended capability ids (3). */
export const ExtendedId = {ACS: 0x000d} as const;
