import {bits} from './bits.ts';
import {control} from './control.ts';
import {integer} from './integer.ts';
import {moves} from './moves.ts';
import {multiplication} from './multiply.ts';
import type {Meaning} from './operation.ts';
import {shifts} from './shifts.ts';
import {strings} from './strings.ts';

/** Meanings by the names that decoding gives to steps. */
export const meanings: Readonly<Record<string, Meaning>> = {
	...integer,
	...shifts,
	...bits,
	...multiplication,
	...moves,
	...control,
	...strings,
};
