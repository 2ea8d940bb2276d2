import {writeSync} from 'node:fs';
import {packageVersion} from '#main/version';

/** Writes all of `text`; see {@link printBytes}. */
export const print = (fd: 1 | 2, text: string): void => printBytes(fd, Buffer.from(text));

/** Writes all of `bytes`, waiting where a pipe is full. A reader that has gone away (`openvmm --help | head`) is no error. */
export function printBytes(fd: 1 | 2, bytes: Buffer): void {
	let rest = bytes;
	while (rest.length > 0) {
		try {
			rest = rest.subarray(writeSync(fd, rest));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
		}
	}
}

/**
 * A text that may hold anything, such as a file's name of a guest's, without what a terminal obeys: control characters, and those that turn the
 * direction of writing (Unicode 16, 3.4 and UAX 9).
 */
export const printable = (text: string): string =>
	text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ');

/** Says which version this is. @returns the status of success */
export function printVersion(): number {
	print(1, `openvmm ${packageVersion()}\n`);
	return 0;
}
