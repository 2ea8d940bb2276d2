// UNSAFE-FFI: getrandom(2) writes to a buffer.
import {errnoName} from './errno.ts';
import {libc} from './libc.ts';

const getrandom = libc('long getrandom(void *buffer, size_t length, unsigned int flags)');

/** The kernel fills as much at once, whatever signals come (getrandom(2)). */
const wholeBytes = 256;

/** Fills an array with bytes of the kernel's generator for keys. To load Node's `crypto` takes 3 to 5 ms on every thread. */
export function fillRandom(array: Uint8Array | BigUint64Array): void {
	const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
	for (let at = 0; at < bytes.length; at += wholeBytes) {
		const part = bytes.subarray(at, at + wholeBytes);
		const filled = getrandom(part, part.length, 0);
		if (filled !== part.length) throw new Error(`getrandom(2) gives no random bytes: ${errnoName(filled)}`);
	}
}
