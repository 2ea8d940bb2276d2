import {RegisterA} from './registers.ts';
import type {WallTime} from './wall-time.ts';

/** Frequency of the periodic interrupt that register A selects (table 5, 32.768 kHz); 0 for none. */
export function periodicHz(registerA: number): number {
	const rate = registerA & RegisterA.RATE_MASK;
	if (rate === 0) return 0;
	// The two fastest taps of the divider are not reached: their codes give 256 and 128 Hz.
	return 32768 >> (rate < 3 ? rate + 6 : rate - 1);
}

/** Periods that have ended in the current second. Every second ends a period, whatever the frequency. */
const tickInSecond = (hz: number, {fractionMs}: WallTime) => Math.floor((fractionMs[0] * hz) / 1000);

/** True when a period ended after `from` and not after `to`. */
export function hasTicked(hz: number, from: WallTime, to: WallTime): boolean {
	if (hz === 0) return false;
	return from.second[0] !== to.second[0] || tickInSecond(hz, from) !== tickInSecond(hz, to);
}

/** Milliseconds to the end of the current period; infinity without one. */
export function msToTick(hz: number, wall: WallTime): number {
	if (hz === 0) return Number.POSITIVE_INFINITY;
	return ((tickInSecond(hz, wall) + 1) * 1000) / hz - wall.fractionMs[0];
}
