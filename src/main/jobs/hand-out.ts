import type {JobPool} from './job-pool.ts';

/** Jobs that a thread of the pool finds waiting. All at once would take the calling thread long for large memory. */
const jobsPerThread = 2;

/**
 * Has a pool's threads do jobs, a few at a time. After the first that fails, and once the signal is aborted, none is begun any more,
 * and those under way come to their end before it is thrown: none uses a file or memory that the caller gives back.
 * @param act - hands one job to the pool and takes its result
 * @throws what `act` throws, and the signal's reason
 */
export async function handOut<J>(
	{threads}: Pick<JobPool, 'threads'>,
	jobs: Iterable<J>,
	act: (job: J) => Promise<void>,
	signal?: AbortSignal,
): Promise<void> {
	// One for all lanes: where one lane leaves it by an error, the others find nothing more in it.
	const queue = whileWanted(jobs, signal);
	const lane = async () => {
		for (const job of queue) await act(job);
	};
	const lanes = Array.from({length: threads * jobsPerThread}, lane);
	try {
		await Promise.all(lanes);
	} finally {
		await Promise.allSettled(lanes);
	}
	signal?.throwIfAborted();
}

function* whileWanted<J>(jobs: Iterable<J>, signal: AbortSignal | undefined): Generator<J> {
	for (const job of jobs) {
		signal?.throwIfAborted();
		yield job;
	}
}
