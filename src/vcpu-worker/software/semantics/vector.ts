import {aes} from './aes.ts';
import {carryless} from './carryless.ts';
import {floatArithmetic} from './float-arithmetic.ts';
import {floatChoices} from './float-choice.ts';
import {floatConversions} from './float-conversions.ts';
import {fusedFloats} from './fused.ts';
import type {Meaning} from './operation.ts';
import {sha} from './sha.ts';
import {avxMeanings, gatherMeanings} from './vector-avx.ts';
import {vectorIntegers} from './vector-integer.ts';
import {vectorMoves} from './vector-moves.ts';
import {vectorShuffles} from './vector-shuffle.ts';
import {vectorStrings} from './vector-strings.ts';

/** Steps on vectors (SDM volume 2): `a` is the destination, `c` the first source and `b` the second. */
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
	...avxMeanings,
	...gatherMeanings,
};

const packedFloat = /(ps|pd|dq)$/;

/** Those that may have 256 bits in one step; all others have a step for each half. */
export const wideMeanings: ReadonlySet<string> = new Set([
	'cvtps2ph',
	...Object.keys({...floatArithmetic, ...floatChoices, ...floatConversions, ...fusedFloats}).filter(
		(name) => packedFloat.test(name) && name !== 'cvtdq2pd' && name !== 'dppd',
	),
	...'ptest testps testpd pmovmskb movmskps movmskpd maskedLoad32 maskedLoad64 maskedStore32 maskedStore64'.split(' '),
	...Object.keys(gatherMeanings),
	...'loadVector loadVectorAligned storeVector storeVectorAligned'.split(' '),
]);
