// UNSAFE-FFI: the one place where C functions outside KVM are declared. A wrong signature corrupts memory.
import {Errno} from './errno.ts';
import {type Koffi, koffi} from './koffi.ts';

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
		call ??= koffi().load(null).func(prototype) as CFunction;
		const result = Number(call(...args));
		return result === -1 ? -koffi().errno() : result;
	};
}

/**
 * Declares a libc function that runs on a thread of Node's pool, for work that the event loop cannot wait for. Nobody learns
 * its result.
 */
export function libcInPool(prototype: string): (...args: readonly (number | bigint)[]) => Promise<void> {
	let call: ReturnType<ReturnType<Koffi['load']>['func']> | undefined;
	return (...args) =>
		new Promise((resolve, reject) => {
			// SAFETY: as above; the caller keeps what the addresses point to alive until the promise is settled.
			call ??= koffi().load(null).func(prototype);
			call.async(...args, (error: unknown) => (error == null ? resolve() : reject(error)));
		});
}

/** The same for who wants the result: the function's own, or the negated errno when that is -1. It is told by Node's loop. */
export function libcResultInPool(prototype: string): (args: readonly number[], done: (result: number) => void) => void {
	let call: ReturnType<ReturnType<Koffi['load']>['func']> | undefined;
	return (args, done) => {
		// SAFETY: as above.
		call ??= koffi().load(null).func(prototype);
		call.async(...args, (error: unknown, result: unknown) => {
			// koffi has brought the errno of the pool's thread along.
			if (error == null) done(Number(result) === -1 ? -koffi().errno() : Number(result));
			else done(-Errno.EINVAL);
		});
	};
}

/** Host address of a buffer's first byte. The buffer must stay referenced while the address is in use. */
export function addressOf(buffer: SharedArrayBuffer | ArrayBuffer | ArrayBufferView): bigint {
	return koffi().address(buffer);
}
