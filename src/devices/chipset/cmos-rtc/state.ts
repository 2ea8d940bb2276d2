import {bytes, f64, u8, wire} from '#support/wire';
import {cmosSize} from './registers.ts';

/** The shared state of the real-time clock. */
export const CmosRtcState = wire('cmos-rtc', {
	/** Byte that port 0x71 reaches; bit 7 of port 0x70, the NMI mask, is not kept. */
	index: u8,
	/** The RAM. The time registers in it are current only while the clock is stopped. */
	ram: bytes(cmosSize).sensitive(),
	/** Time that the guest's setting of the clock added to the configured time, in milliseconds. */
	adjustmentMs: f64,
	/** Interrupt flags that are set, as in register C; IRQF is computed. */
	flags: u8,
	/** Wall-clock time, in milliseconds, of the latest moment whose events {@link flags} shows. */
	lookedMs: f64,
});

/** Fields of {@link CmosRtcState}. */
export type CmosRtcFields = (typeof CmosRtcState)['fields'];
