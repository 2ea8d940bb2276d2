import {ringFields} from '#support/shared-memory';
import {f64, i32, u8, wire} from '#support/wire';
import {fifoDepth, initialDivisor} from './registers.ts';

/** Guest output that waits for the host. */
export const transmitCapacity = 64 * 1024;

/** Host input that waits for the guest. */
export const receiveCapacity = 4 * 1024;

/** The UART's shared state. */
export const Serial16550State = wire('serial-16550', {
	ier: u8,
	lcr: u8,
	mcr: u8,
	/** 1 in FIFO mode. */
	fifoMode: u8,
	/** FCR bits 6 and 7. */
	trigger: u8,
	dll: u8.initial(initialDivisor & 0xff),
	dlm: u8.initial(initialDivisor >> 8),
	scr: u8,
	/** Latched error bits of LSR; reading LSR clears them. */
	lineErrors: u8,
	/** Latched change bits of MSR; reading MSR clears them. */
	modemChanges: u8,
	/** 1 while somebody is at the other end: CTS, DSR and DCD are high. */
	connected: u8,
	/** The THRE interrupt is raised: the transmitter became empty and the guest has not yet taken note. */
	threPending: u8,
	/** The transmit ring had no room for a FIFO's worth, so THRE is down. */
	transmitBlocked: u8,
	/** The back has input that it could not deliver and waits for {@link DeviceServices.notifyBack}. */
	inputWaiting: u8,
	/** The host's latest reason to refuse output, an errno; 0 when there was none. */
	hostErrno: i32,
	/** Bytes from the host that the guest has read or can read. */
	rxBytes: f64,
	/** Bytes the guest sent, all of which were passed on, wait in the ring, or are in `txDiscarded`. */
	txBytes: f64,
	/** Bytes the guest wrote although THRE was down and the ring was full. */
	txDropped: f64,
	/** Bytes of `txBytes` that nobody took: nothing attached, nobody connected, or refused by the host. */
	txDiscarded: f64,
	/** Bytes that a FIFO reset or an overrun in loop-back mode threw away. */
	rxDropped: f64,
	...ringFields('loop', fifoDepth),
	...ringFields('rx', receiveCapacity),
	...ringFields('tx', transmitCapacity),
});

/** Fields of {@link Serial16550State}. */
export type Serial16550Fields = (typeof Serial16550State)['fields'];
