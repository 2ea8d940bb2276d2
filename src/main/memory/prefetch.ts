import {availableParallelism} from 'node:os';
import type {MappedRange} from '#devices/guest-memory';
import {createJobPool, handOut} from '#main/jobs';
import type {LongOperation} from '#support/abort';
import {memoryError} from './errors.ts';

const stepBytes = 256 * 2 ** 20;

/**
 * Commits all of guest RAM before the guest starts, several threads at once.
 * @throws VmmError `MEMORY_BACKING_FAILED` when the host runs out; the signal's reason
 */
export async function prefetchRam(ranges: readonly MappedRange[], {progress, signal}: LongOperation): Promise<void> {
	const sizeBytes = ranges.reduce((sum, {length}) => sum + length, 0);
	const steps = ranges.flatMap(({hostAddress, length}) =>
		Array.from({length: Math.ceil(length / stepBytes)}, (_, step) => ({
			address: hostAddress + step * stepBytes,
			length: Math.min(stepBytes, length - step * stepBytes),
		})),
	);
	const pool = await createJobPool(Math.min(steps.length, availableParallelism()));
	try {
		let done = 0;
		progress?.(done, sizeBytes);
		const commit = async (step: (typeof steps)[number]) => {
			const errno = await pool.prefetch(step);
			if (errno < 0) throw memoryError('MEMORY_BACKING_FAILED', {what: 'pages of its own', sizeBytes, errno});
			done += step.length;
			progress?.(done, sizeBytes);
		};
		await handOut(pool, steps, commit, signal);
	} finally {
		await pool.close();
	}
}
