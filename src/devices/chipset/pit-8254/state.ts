import {readFields, type StateVersions} from '#support/saved-state';
import {array, bytes, f64, u8, u16, u32, type ViewOf, wire} from '#support/wire';

/** Moment at which the count register goes into the counting element. */
export const Pending = {
	/** It has, or there is none. */
	NONE: 0,
	PERIOD_END: 1,
	/** At the falling edge of a square wave. */
	HIGH_END: 2,
	/** At the next rising edge of the gate. */
	TRIGGER: 3,
} as const;

/** One counter. Clocks are those of its input since VM time zero. */
export const PitCounter = wire('pit-8254-counter', {
	/** The clock at which the count was loaded, or the period began; while held, the clocks counted so far. */
	origin: f64,
	/** The number that is being counted, 0 while there is none. */
	count: u32,
	/** The number last written, 0 when none was since the control word. */
	reload: u32,
	countLatch: u16,
	/** Bits 0–5 of the latest control word. */
	control: u8,
	/** One of {@link Pending}. */
	pending: u8,
	/** The gate stops the counting. */
	held: u8,
	/** A mode that is not periodic has had its rising edge. */
	expired: u8,
	/** The next byte written, or read, of a two-byte count is the more significant. */
	writesMsb: u8,
	readsMsb: u8,
	/** First byte of a two-byte count. */
	lsb: u8,
	countLatched: u8,
	statusLatched: u8,
	statusLatch: u8,
});

/** One counter's part of the shared state. */
export type CounterView = ViewOf<typeof PitCounter>;

const counterCount = 3;

/** The shared state of the interval timer. */
export const Pit8254State = wire('pit-8254', {
	counters: array(PitCounter, counterCount),
	/** Value written to port 0x61. */
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

const words = array(u32, counterCount);
const octets = bytes(counterCount);
/** Version 1: fields of the counters, by their numbers. */
const Pit8254Version1 = wire('pit-8254', {
	count: words,
	reload: words,
	countLatch: words,
	control: octets,
	pending: octets,
	held: octets,
	expired: octets,
	writesMsb: octets,
	readsMsb: octets,
	lsb: octets,
	countLatched: octets,
	statusLatched: octets,
	statusLatch: octets,
	origin0: f64,
	origin1: f64,
	origin2: f64,
	nmiControl: u8,
	ticksOwed: f64,
	ticks: f64,
	ticksDropped: f64,
	lastTick: f64,
});

/** Version 1 had an array for each field of the counters, and their origins by number. */
export const pit8254Versions: StateVersions = {
	version: 2,
	upgrade(fields) {
		const {origin0, origin1, origin2, nmiControl, ticksOwed, ticks, ticksDropped, lastTick, ...arrays} = readFields(
			Pit8254Version1,
			fields,
		);
		const counters = [origin0, origin1, origin2].map((origin, index) => ({
			...Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array[index] as number])),
			origin,
		}));
		return {counters, nmiControl, ticksOwed, ticks, ticksDropped, lastTick};
	},
};

/** Fields of {@link Pit8254State}. */
export type Pit8254Fields = (typeof Pit8254State)['fields'];
