import {Errno} from '#support/ffi';

/** A negated Linux errno, as the calls of `#support/ffi` have it: what a guest asks for and cannot have is a value. */
export type Refused = number;

/**
 * What a folder answers: a value, or a {@link Refused}, now or later. A value that is a number is never negative. Guests cause neither exceptions nor rejected
 * promises: those are faults of the folder, and end its device.
 */
export type Answer<T> = T | Refused | Promise<T | Refused>;

/** Done (0), or refused. */
export type Done = Answer<0>;

export const isRefused = (answer: unknown): answer is Refused => typeof answer === 'number' && answer < 0;

/** True for what comes later. */
export const isLater = <T>(answer: T | Promise<T>): answer is Promise<T> => answer instanceof Promise;

declare const checked: unique symbol;
/**
 * A name in a directory that has been checked: neither empty, nor `.` or `..`, 255 bytes at most, none of them `/` or NUL. Guests' names are
 * bytes in no encoding; it has one letter for each byte (latin1), which takes the least memory and compares as the bytes do.
 */
export type Name = string & {readonly [checked]: true};

/** Most bytes of a name, as of Linux's file systems (NAME_MAX). */
export const mostNameBytes = 255;

/** Checks a guest's name; whoever parses a request does, once. */
export function nameOf(bytes: Uint8Array): Name | Refused {
	if (bytes.length === 0) return -Errno.ENOENT;
	if (bytes.length > mostNameBytes) return -Errno.ENAMETOOLONG;
	const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
	return name === '.' || name === '..' || name.includes('/') || name.includes('\0') ? -Errno.EINVAL : (name as Name);
}

/** The name as its bytes. */
export const nameBytes = (name: string): Buffer => Buffer.from(name, 'latin1');

/** Goes on with an answer, at once where it is there; what is refused stays so. */
export function after<T, R>(answer: Answer<T>, next: (value: T) => Answer<R>): Answer<R> {
	if (isLater(answer)) return answer.then((value) => (isRefused(value) ? value : next(value as T)));
	return isRefused(answer) ? answer : next(answer as T);
}

/** The same, for whoever has something to do as well where it is refused. */
export function settled<T, U>(answer: Answer<T>, next: (value: T | Refused) => Answer<U>): Answer<U> {
	return isLater(answer) ? answer.then(next) : next(answer);
}
