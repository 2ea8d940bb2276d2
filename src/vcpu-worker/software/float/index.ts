/** Floating point of SSE to SSE4.1 in exact arithmetic. */
export {FloatUnit} from './float-unit.ts';
export {type FloatSuffix, floatOperation} from './operations.ts';
