// UNSAFE-FFI: clock_gettime(2) writes to an address.
import {koffi} from './koffi.ts';
import {addressOf} from './libc.ts';

const CLOCK_MONOTONIC = 1;

/** struct timespec: seconds and nanoseconds of 64 bits, whose lower halves are enough. A buffer of its own does not move. */
const timespec = new Int32Array(new ArrayBuffer(16));

interface Clock {
	readonly read: (clock: number, timespec: bigint) => number;
	readonly timespec: bigint;
}

let clock: Clock | undefined;

/**
 * Leaves the host's monotonic time in `now[0]`, in nanoseconds, the same on every thread. Makes no object, as `performance.now` does
 * with the number that it returns, and as {@link libc} does with its arguments; it takes as long as the former.
 */
export function readMonotonicNs(now: Float64Array): void {
	// SAFETY: the prototype is that of clock_gettime(2); `timespec` has the struct's size and lives as long as the module.
	clock ??= {
		read: koffi().load(null).func('int clock_gettime(int clock, void *timespec)'),
		timespec: addressOf(timespec),
	};
	clock.read(CLOCK_MONOTONIC, clock.timespec);
	now[0] = (timespec[0] as number) * 1e9 + (timespec[2] as number);
}

const latest = new Float64Array(1);

/** The host's monotonic time, in nanoseconds. */
export function monotonicNs(): number {
	readMonotonicNs(latest);
	return latest[0] as number;
}
