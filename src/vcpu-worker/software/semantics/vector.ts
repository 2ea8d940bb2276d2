import {aes} from './aes.ts';
import {carryless} from './carryless.ts';
import {floatArithmetic} from './float-arithmetic.ts';
import {floatChoices} from './float-choice.ts';
import {floatConversions} from './float-conversions.ts';
import {fusedFloats} from './fused.ts';
import type {Meaning} from './operation.ts';
import {sha} from './sha.ts';
import {vectorIntegers} from './vector-integer.ts';
import {vectorMoves} from './vector-moves.ts';
import {vectorShuffles} from './vector-shuffle.ts';
import {vectorStrings} from './vector-strings.ts';

/** Steps on XMM registers (SDM volume 2): `a` is the destination, `b` the source. */
export const vectorMeanings: Readonly<Record<string, Meaning>> = {
	...vectorMoves,
	...vectorIntegers,
	...vectorShuffles,
	...vectorStrings,
	...aes,
	...carryless,
	...sha,
	...floatArithmetic,
	...floatChoices,
	...floatConversions,
	...fusedFloats,
};
