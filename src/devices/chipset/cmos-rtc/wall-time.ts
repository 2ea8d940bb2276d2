/** Milliseconds since the last full second, 0 to below 1000, also before 1970. */
export const fractionMs = (wallMs: number): number => ((wallMs % 1000) + 1000) % 1000;

/** The full second since 1970. Never at odds with {@link fractionMs}, as a rounded quotient could be. */
export const secondOf = (wallMs: number): number => (wallMs - fractionMs(wallMs)) / 1000;
