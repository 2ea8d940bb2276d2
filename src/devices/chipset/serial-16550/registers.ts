/**
 * Registers of the National Semiconductor PC16550D UART (data sheet of June 1995, section 8, tables II to V).
 * Offsets 0 and 1 address the divisor latch while LCR.DLAB is set.
 */
export const Register = {
	/** Receiver buffer (read), transmitter holding (write), divisor latch LS. */
	RBR_THR_DLL: 0,
	/** Interrupt enable, divisor latch MS. */
	IER_DLM: 1,
	/** Interrupt identification (read), FIFO control (write). */
	IIR_FCR: 2,
	LCR: 3,
	MCR: 4,
	LSR: 5,
	MSR: 6,
	SCR: 7,
} as const;

/** Ports a UART takes up. */
export const registerCount = 8;

/** Interrupt enable register (8.6.6). */
export const Ier = {
	/** Received data available, and the character timeout in FIFO mode. */
	ERBFI: 1 << 0,
	/** Transmitter holding register empty. */
	ETBEI: 1 << 1,
	/** Receiver line status. */
	ELSI: 1 << 2,
	/** Modem status. */
	EDSSI: 1 << 3,
	/** Bits 4–7 read zero. */
	MASK: 0x0f,
} as const;

/** Interrupt identification register (8.6.5, table IV), highest priority first. */
export const Iir = {
	LINE_STATUS: 0x06,
	DATA_AVAILABLE: 0x04,
	CHARACTER_TIMEOUT: 0x0c,
	THR_EMPTY: 0x02,
	MODEM_STATUS: 0x00,
	NONE: 0x01,
	/** Bits 6 and 7: FIFO mode. */
	FIFOS_ENABLED: 0xc0,
} as const;

/** FIFO control register (8.6.4). */
export const Fcr = {
	ENABLE: 1 << 0,
	RESET_RECEIVER: 1 << 1,
	RESET_TRANSMITTER: 1 << 2,
	/** Bits 6 and 7 choose from {@link receiverTriggers}. */
	TRIGGER_SHIFT: 6,
} as const;

/** Bytes in the receiver FIFO that raise the data interrupt, by FCR bits 6 and 7. */
export const receiverTriggers = [1, 4, 8, 14] as const;

/** Depth of each FIFO (1). */
export const fifoDepth = 16;

/** Line control register (8.6.1). */
export const Lcr = {
	/** Bits of a character, from 5 on. */
	WORD_LENGTH: 3,
	/** More than one stop bit. */
	STOP: 1 << 2,
	/** Bits 3–5 say which parity there is. */
	PARITY_SHIFT: 3,
	/** Divisor latch access. */
	DLAB: 1 << 7,
} as const;

/** Modem control register (8.6.7). */
export const Mcr = {
	DTR: 1 << 0,
	RTS: 1 << 1,
	OUT1: 1 << 2,
	OUT2: 1 << 3,
	LOOP: 1 << 4,
	/** Bits 5–7 read zero. */
	MASK: 0x1f,
} as const;

/** Line status register (8.6.3). */
export const Lsr = {
	/** Data ready. */
	DR: 1 << 0,
	/** Overrun error. */
	OE: 1 << 1,
	/** Transmitter holding register empty. */
	THRE: 1 << 5,
	/** Transmitter empty. */
	TEMT: 1 << 6,
} as const;

/** Modem status register (8.6.8). */
export const Msr = {
	DCTS: 1 << 0,
	DDSR: 1 << 1,
	/** Trailing edge of ring indicator. */
	TERI: 1 << 2,
	DDCD: 1 << 3,
	CTS: 1 << 4,
	DSR: 1 << 5,
	RI: 1 << 6,
	DCD: 1 << 7,
	DELTA: 0x0f,
} as const;

/** Baud rate by the divisor 1 of the clock of 1.8432 MHz (table III). */
export const fastestBaud = 115_200;

/** The baud rate divisor a PC's firmware leaves: 9600 baud at 1.8432 MHz (table III). */
export const initialDivisor = 12;
