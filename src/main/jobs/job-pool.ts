import {fileURLToPath} from 'node:url';
import {workerUrls} from '#main/workers';
import type {PrefetchJob} from './jobs.ts';

/** Blocking or CPU-bound work with a start and an end, off the main thread. */
export interface JobPool {
	prefetch(job: PrefetchJob): Promise<number>;
	close(): Promise<void>;
}

/** Starts a pool of at most `threads` workers. Piscina is loaded here only: most machines never need it. */
export async function createJobPool(threads: number): Promise<JobPool> {
	const {Piscina} = await import('piscina');
	const pool = new Piscina({filename: fileURLToPath(workerUrls.job), minThreads: 1, maxThreads: threads});
	return {
		prefetch: (job) => pool.run(job, {name: 'prefetch'}),
		close: () => pool.close(),
	};
}
