import {array, bytes, f64, i32, u8, wire} from '#support/wire';

/** When the count register goes into the counting element. */
export const Pending = {
	/** It has, or there is none. */
	NONE: 0,
	PERIOD_END: 1,
	/** At the falling edge of a square wave. */
	HIGH_END: 2,
	/** At the next rising edge of the gate. */
	TRIGGER: 3,
} as const;

/** One element for each of the three counters. */
const counters = 3;

/** The shared state of the interval timer. Clocks are those of its input since VM time zero. */
export const Pit8254State = wire('pit-8254', {
	/** Bits 0–5 of the latest control word. */
	control: bytes(counters),
	/** The number that is being counted, 0 while there is none. */
	count: array(i32, counters),
	/** The number last written, 0 when none was since the control word. */
	reload: array(i32, counters),
	/** One of {@link Pending}. */
	pending: bytes(counters),
	/** The gate stops the counting. */
	held: bytes(counters),
	/** A mode that is not periodic has had its rising edge. */
	expired: bytes(counters),
	/** The next byte written, or read, of a two-byte count is the more significant. */
	writesMsb: bytes(counters),
	readsMsb: bytes(counters),
	/** First byte of a two-byte count. */
	lsb: bytes(counters),
	countLatched: bytes(counters),
	countLatch: array(i32, counters),
	statusLatched: bytes(counters),
	statusLatch: bytes(counters),
	/** The clock at which the count was loaded, or the period began; while held, the clocks counted so far. */
	origin0: f64,
	origin1: f64,
	origin2: f64,
	/** What was written to port 0x61. */
	nmiControl: u8,
	/** Rising edges of counter 0 that have not reached the interrupt line yet. */
	ticksOwed: f64,
	/** Interrupts raised. */
	ticks: f64,
	/** Rising edges that never became interrupts. */
	ticksDropped: f64,
	/** The clock of the latest interrupt. */
	lastTick: f64,
});

/** Fields of {@link Pit8254State}. */
export type Pit8254Fields = (typeof Pit8254State)['fields'];
