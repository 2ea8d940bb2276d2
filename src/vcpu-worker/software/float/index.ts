/** Floating point of SSE to SSE4.1, FMA and F16C in exact arithmetic. */

export {rootOf} from './arithmetic.ts';
export {FloatUnit} from './float-unit.ts';
export {type FloatSuffix, floatOperation} from './operations.ts';
export {dropBits, Exception, lengthOf, Rounding} from './rounding.ts';
