/**
 * Registers of the 8237A (Intel 8237A data sheet), two of them as a PC wires them, and the page registers that give the
 * address bits 16 to 23 (IBM PC/AT Technical Reference, system board, DMA).
 */

/** Channels of one chip. */
export const channelsPerChip = 4;

/** Ports of both chips; those of the second, which moves words, lie two apart. Port 0x80 is no page register. */
export const ports = {
	first: {base: 0x00, length: 0x10},
	second: {base: 0xc0, length: 0x20},
	page: {base: 0x81, length: 0x0f},
} as const;

/** Low four bits of the port of each channel's page register; channel 4 is the cascade and its page does nothing. */
export const pageOfChannel = [0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa] as const;

/** Ports of a chip behind address and count of its four channels, which come in turn. */
export const Port = {
	/** Read: status. Written: command. */
	COMMAND: 0x8,
	REQUEST: 0x9,
	/** One channel's mask. */
	MASK: 0xa,
	MODE: 0xb,
	CLEAR_FLIP_FLOP: 0xc,
	/** Read: temporary register. Written: master clear. */
	MASTER_CLEAR: 0xd,
	CLEAR_MASK: 0xe,
	/** All four masks. Can be read on the 82C37A and in chipsets; bits 7:4 are ones. */
	ALL_MASKS: 0xf,
} as const;

/** Command register: the bit that switches the chip off. The others are about bus timing and memory to memory. */
export const commandDisable = 1 << 2;

/** Request and single mask registers: a channel in bits 1:0, and whether the bit is set. */
export const channelMask = 3;
export const setBit = 1 << 2;

/** Mode register: the channel in bits 1:0. */
export const Mode = {
	TRANSFER_SHIFT: 2,
	TRANSFER_MASK: 3,
	/** At the end, address and count start again from what was written. */
	AUTO_INITIALIZE: 1 << 4,
	/** The address goes down. */
	DECREMENT: 1 << 5,
	KIND_SHIFT: 6,
	/** {@link Mode.KIND_SHIFT}: the channel belongs to another controller. */
	CASCADE: 3,
} as const;

/** Transfers (mode register, bits 3:2); 3 is illegal. */
export const Transfer = {VERIFY: 0, WRITE_MEMORY: 1, READ_MEMORY: 2} as const;

/** Value of a port without a register. */
export const floatingBus = 0xff;
