// UNSAFE-FFI: ioctl is how KVM is driven, and a vCPU's exit path cannot afford a wrapper around the call. A wrong
// request or argument lets the kernel overwrite memory.

import {Errno, koffi} from '#support/ffi';
import type {ArgumentBuffer} from './argument-buffer.ts';
import {kvmError} from './errors.ts';
import {type IoctlName, ioctls} from './ioctls.ts';

const {EINTR} = Errno;

const c = koffi();

// Measured (Node 24, koffi 3.3, a libc function that does nothing): this prototype 35 ns a call with numbers, 41 ns with
// bigints; `unsigned long` or `uintptr_t` in place of either 40 to 55 ns; variadic 63 ns. Host addresses stay below 2^47.
const cIoctl = c.load(null).func('int ioctl(int fd, uint32_t request, int64_t argument)') as (
	fd: number,
	request: number,
	argument: number,
) => number;

/**
 * ioctl(2). Returns the kernel's answer, or the negated errno. Allocates nothing when `argument` is a number.
 * @param request - {@link ioctls}`[…].request`
 * @param argument - a number, or the host address of an {@link ArgumentBuffer} that the caller goes on holding
 */
export function ioctl(fd: number, request: number, argument: number): number {
	// SAFETY: the caller pairs the request with memory of at least the size its declaration says, and keeps it alive.
	const result = cIoctl(fd, request, argument);
	return result === -1 ? -c.errno() : result;
}

/**
 * An ioctl that is expected to work. Repeats it when a signal interrupts.
 * @param argument - a number, or the argument struct's memory
 * @param detail - what it was about, for the error
 * @returns the kernel's answer, not negative
 * @throws KVM_IOCTL_FAILED with the ioctl's name and errno
 */
export function kvmIoctl(fd: number, name: IoctlName, argument: number | ArgumentBuffer = 0, detail?: string): number {
	const {request} = ioctls[name];
	let result: number;
	// The address is taken anew each time round: the use keeps the memory from being collected before the call.
	do result = ioctl(fd, request, typeof argument === 'number' ? argument : argument.address);
	while (result === -EINTR);
	if (result < 0) throw ioctlError(name, -result, detail);
	return result;
}

/** The error of a failed ioctl, for callers that look at errno first. */
export const ioctlError = (ioctl: IoctlName, errno: number, detail?: string) =>
	kvmError('KVM_IOCTL_FAILED', {ioctl, errno, ...(detail === undefined ? {} : {detail})});
