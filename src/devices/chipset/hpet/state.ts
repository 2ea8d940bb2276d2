import {f64, u8, u32, wire} from '#support/wire';

/** What each timer has, in fields that end in its number. Clocks are periods of the main counter since VM time zero. */
const perTimer = {
	/** The writable bits of Tn_CONF. */
	config: u32,
	/** The comparator; in periodic mode the accumulator (reset value: all ones). */
	comparatorLow: u32.initial(0xffff_ffff),
	comparatorHigh: u32.initial(0xffff_ffff),
	/** What was last written to the comparator: the period. */
	periodLow: u32,
	periodHigh: u32,
	/** The lower half of the accumulator was just set; a write of the higher half sets that too. */
	setsHigh: u8,
	fsbValue: u32,
	fsbAddress: u32,
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
};

/** Name of a timer's field, without its number. */
export type TimerField = keyof typeof perTimer;

function timerFields<const N extends number>(index: N): {[K in TimerField as `${K}${N}`]: (typeof perTimer)[K]} {
	const fields = Object.entries(perTimer).map(([name, field]) => [`${name}${index}`, field]);
	return Object.fromEntries(fields) as {[K in TimerField as `${K}${N}`]: (typeof perTimer)[K]};
}

/** The shared state of the high precision event timer. */
export const HpetState = wire('hpet', {
	/** General configuration. */
	general: u8,
	/** Interrupt status: one bit for each timer. */
	status: u8,
	/** Edge-triggered timers whose line is up since their latest interrupt: one bit each. */
	pulses: u8,
	/** Halted: the main counter. Running: the main counter minus the clock, modulo 2^64. */
	counterLow: u32,
	counterHigh: u32,
	/** The counter's higher half at the latest read of the lower one, until it is read. */
	highLatched: u8,
	highLatch: u32,
	...timerFields(0),
	...timerFields(1),
	...timerFields(2),
});

/** Fields of {@link HpetState}. */
export type HpetFields = (typeof HpetState)['fields'];
