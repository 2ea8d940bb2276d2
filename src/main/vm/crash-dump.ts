import {isVmmError, type VmmError} from '#support/errors';
import {vmError} from './errors.ts';
import type {VmParts} from './vm-parts.ts';

/** Dumps that a machine's crashes get within an hour: each writes all that the guest has in memory. */
export const crashDumpsPerHour = 4;

const hourMs = 3_600_000;

/**
 * Makes the writer of core dumps for a machine whose guest crashes. A dump that fails is reported and changes nothing about the
 * crash; that further ones are left out is reported once, until there is one again.
 * @param dumped - told of every dump
 * @param nowMs - a clock that never goes back
 */
export function crashDump(
	path: string | undefined,
	dumped: (path: string, error?: VmmError) => void,
	nowMs: () => number = () => performance.now(),
): VmParts['crashDump'] {
	let begun: readonly number[] = [];
	let leavesOut = false;
	return async (write) => {
		if (path === undefined) return;
		const now = nowMs();
		begun = begun.filter((time) => now - time < hourMs);
		const [first = now] = begun;
		if (begun.length >= crashDumpsPerHour) {
			const waitMinutes = Math.ceil((first + hourMs - now) / 60_000);
			if (!leavesOut) dumped(path, vmError('VM_CRASH_DUMPS_LIMIT', {path, limit: crashDumpsPerHour, waitMinutes}));
			leavesOut = true;
			return;
		}
		begun = [...begun, now];
		leavesOut = false;
		try {
			await write(path);
			dumped(path);
		} catch (error) {
			if (!isVmmError(error)) throw error;
			dumped(path, error);
		}
	};
}
