import {libc} from './libc.ts';

/** The numbers of the three calls, for which the C library has no functions: the same on every architecture. */
const [setupNumber, enterNumber, registerNumber] = [425, 426, 427];

const cSetup = libc('long syscall(long number, uint32_t entries, void *params)');
const cEnter = libc(
	'long syscall(long number, int fd, uint32_t toSubmit, uint32_t least, uint32_t flags, void *mask, size_t maskBytes)',
);
const cRegister = libc('long syscall(long number, int fd, uint32_t operation, void *argument, uint32_t count)');

/** io_uring_setup(2): `params` is a `struct io_uring_params`, which it fills in. The ring's descriptor, or the negated errno. */
export const ioUringSetup = (entries: number, params: Uint8Array): number => cSetup(setupNumber, entries, params);

/** io_uring_enter(2) without waiting: how many entries the kernel has taken, or the negated errno. */
export const ioUringEnter = (fd: number, toSubmit: number): number => cEnter(enterNumber, fd, toSubmit, 0, 0, null, 0);

/** io_uring_register(2). 0 or the negated errno. */
export const ioUringRegister = (fd: number, operation: number, argument: Uint8Array, count: number): number =>
	cRegister(registerNumber, fd, operation, argument, count);
