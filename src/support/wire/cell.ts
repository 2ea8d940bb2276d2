/**
 * A double in an array, for functions that hand one to each other: V8 makes an object of a number that goes from one function to
 * another, unless it has inlined the one or the number fits in 31 bits.
 */
export type Cell = Float64Array & {0: number};

/** A {@link Cell} that holds 0. */
export const cell = (): Cell => new Float64Array(1) as Float64Array as Cell;

/** 64 bits in an array, as two numbers, the lower half first. */
export type Pair = Uint32Array & {0: number; 1: number};

/** A {@link Pair} that holds 0. */
export const pair = (): Pair => new Uint32Array(2) as Uint32Array as Pair;
