import type {Cell} from '#support/wire';

/**
 * A counter's mode ("Mode definitions" in the data sheet) as functions of its count and of the clocks counted since the
 * count was loaded. For a periodic mode these are the clocks of the current period.
 */
export interface Mode {
	/** The output after the control word. */
	readonly startsHigh: boolean;
	/** Begins again by itself. */
	readonly periodic: boolean;
	/** Begins with a rising edge of the gate, rather than with a count that is written. */
	readonly triggered: boolean;
	/** The smallest count (figure 22). */
	readonly minimum: number;
	/** Clocks after which the output rises. */
	riseAt(count: number): number;
	output(count: number, elapsed: Cell): boolean;
	/** The counting element, modulo the code's modulus; negative after it passed zero. */
	value(count: number, elapsed: Cell, modulus: number): number;
}

/** Clocks for which a square wave of `count` is high: an odd count's extra clock is high. */
export const highClocks = (count: number): number => Math.ceil(count / 2);

const down = (count: number, elapsed: Cell, modulus: number) => ((count - elapsed[0]) % modulus) | 0;

/** Modes 0 and 1: low until the count is over. */
const once = {
	periodic: false,
	minimum: 1,
	riseAt: (count: number) => count,
	output: (count: number, elapsed: Cell) => elapsed[0] >= count,
	value: down,
};

/** Modes 4 and 5: low for the one clock after the count is over. */
const strobe = {
	...once,
	startsHigh: true,
	riseAt: (count: number) => count + 1,
	output: (count: number, elapsed: Cell) => elapsed[0] !== count,
};

/** Mode 2: low for the last clock. */
const rateGenerator: Mode = {
	...once,
	startsHigh: true,
	periodic: true,
	triggered: false,
	minimum: 2,
	output: (count, elapsed) => elapsed[0] !== count - 1,
};

/** Mode 3: counts down by two, twice, from the even number at or below the count. */
const squareWave: Mode = {
	...rateGenerator,
	output: (count, elapsed) => elapsed[0] < highClocks(count),
	value: (count, elapsed, modulus) => {
		const high = highClocks(count);
		const inHalf = elapsed[0] < high ? elapsed[0] : elapsed[0] - high;
		return ((count - (count % 2) - 2 * inHalf) % modulus) | 0;
	},
};

/** By mode number. Bit 2 is ignored for modes 2 and 3 (figure 7). */
export const modes: readonly Mode[] = [
	{...once, startsHigh: false, triggered: false},
	{...once, startsHigh: true, triggered: true},
	rateGenerator,
	squareWave,
	{...strobe, triggered: false},
	{...strobe, triggered: true},
	rateGenerator,
	squareWave,
];
