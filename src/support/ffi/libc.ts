// UNSAFE-FFI: the one place where C functions outside KVM are declared. A wrong signature corrupts memory.
import {koffi} from './koffi.ts';

/** A declared C function. Numbers and bigints in, a number out; pointers are addresses or typed arrays. */
export type CFunction = (...args: readonly (number | bigint | string | ArrayBufferView | null)[]) => number;

/**
 * Declares a libc function on its first call: a thread pays only for what it uses.
 * The result is the function's own, or the negated errno when that is -1.
 */
export function libc(prototype: string): CFunction {
	let call: CFunction | undefined;
	return (...args) => {
		// SAFETY: the prototype is a literal beside the caller, taken from the function's manual page.
		call ??= koffi.load(null).func(prototype) as CFunction;
		const result = Number(call(...args));
		return result === -1 ? -koffi.errno() : result;
	};
}

/** Host address of a buffer's first byte. The buffer must stay referenced while the address is in use. */
export function addressOf(buffer: SharedArrayBuffer | ArrayBuffer | ArrayBufferView): bigint {
	return koffi.address(buffer);
}
