import type {FieldsView} from '#support/wire';
import {fastestBaud, Lcr} from './registers.ts';
import type {Serial16550Fields} from './state.ts';

/** By LCR bits 3 to 5: without bit 3 none, bit 4 even instead of odd, bit 5 the same bit always. */
const parities = ['N', 'O', 'N', 'E', 'N', 'M', 'N', 'S'] as const;

/** Says how the guest has set the line, as terminals are told, and whether somebody is at its other end. */
export function serial16550Words({dll, dlm, lcr, connected}: FieldsView<Serial16550Fields>) {
	const divisor = dll | (dlm << 8);
	const bits = 5 + (lcr & Lcr.WORD_LENGTH);
	const stop = (lcr & Lcr.STOP) === 0 ? '1' : bits === 5 ? '1.5' : '2';
	const parity = parities[(lcr >>> Lcr.PARITY_SHIFT) & 7];
	return {
		line: `${divisor === 0 ? 'no' : Math.round(fastestBaud / divisor)} baud, ${bits}${parity}${stop}`,
		peer: connected === 0 ? 'nobody' : 'connected',
	};
}
