/** Only the type system knows it: no object has it. */
declare const guestValue: unique symbol;

/**
 * A number that a guest chose. Opaque: it is no number until it is checked, so arithmetic, comparison and indexing do not
 * compile. What checks it takes it apart by {@link unchecked}.
 */
export interface Guest<T extends number | bigint> {
	readonly [guestValue]: T;
}

/** The number itself, for the function that checks it. */
export const unchecked = <T extends number | bigint>(value: Guest<T>): T => value as unknown as T;
