/** Only the type checker knows it: no object has it. */
declare const guestValue: unique symbol;

/**
 * A number that a guest chose. It is opaque: arithmetic, comparison and indexing do not compile until a check has made a
 * number of it. So a field is read once, and what was checked is what is used.
 */
export interface Guest<T extends number | bigint> {
	readonly [guestValue]: T;
}

/** Marks a number as chosen by a guest. */
export const guest = <T extends number | bigint>(value: T): Guest<T> => value as unknown as Guest<T>;

/**
 * The number itself. For whoever may be given any number at all (a debugger that shows it, a test that compares it) and for
 * the checks; who uses it as an index, a length or an address checks it.
 */
export function unchecked<T extends number | bigint>(value: Guest<T>): T;
export function unchecked<T extends number | bigint>(value: Guest<T> | undefined): T | undefined;
export function unchecked(value: unknown): unknown {
	return value;
}
