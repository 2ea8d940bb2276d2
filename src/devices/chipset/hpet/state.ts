import {array, f64, u8, u32, u64, wire} from '#support/wire';
import {timerCount} from './registers.ts';

/** One timer. Clocks are periods of the main counter since VM time zero. */
export const HpetTimer = wire('hpet-timer', {
	/** The comparator; in periodic mode the accumulator (reset value: all ones). */
	comparator: u64.halves.initial(0xffff_ffff_ffff_ffffn),
	/** Value last written to the comparator. */
	period: u64.halves,
	/** First clock that was not looked at for a match. */
	from: f64,
	/** Matches that have not become interrupts yet. */
	owed: f64,
	/** Interrupts and status bits raised. */
	ticks: f64,
	/** Matches that never became interrupts. */
	dropped: f64,
	/** The clock of the latest interrupt. */
	lastTick: f64,
	/** The writable bits of Tn_CONF. */
	config: u32,
	fsbValue: u32,
	fsbAddress: u32,
	/** The lower half of the accumulator was just set; a write of the higher half sets that too. */
	setsHigh: u8,
});

/** The shared state of the high precision event timer. */
export const HpetState = wire('hpet', {
	/** General configuration. */
	general: u8,
	/** Interrupt status: one bit for each timer. */
	status: u8,
	/** Edge-triggered timers whose line is up since their latest interrupt: one bit each. */
	pulses: u8,
	/** The counter's higher half at the latest read of the lower one, until it is read. */
	highLatched: u8,
	highLatch: u32,
	/** Halted: the main counter. Running: the main counter minus the clock, modulo 2^64. */
	counter: u64.halves,
	timers: array(HpetTimer, timerCount),
});

/** Fields of {@link HpetState}. */
export type HpetFields = (typeof HpetState)['fields'];
