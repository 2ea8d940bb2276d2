/** A wall-clock time in milliseconds since 1970, in an array: as a number that functions pass to each other it would be an object. */
export type WallMs = Float64Array;

/** Milliseconds since the last full second, 0 to below 1000, also before 1970. */
export const fractionMs = (wallMs: WallMs): number => (((wallMs[0] as number) % 1000) + 1000) % 1000;

/** The full second since 1970. Never at odds with {@link fractionMs}, as a rounded quotient could be. */
export const secondOf = (wallMs: WallMs): number => ((wallMs[0] as number) - fractionMs(wallMs)) / 1000;
