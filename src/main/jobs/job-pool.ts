import {fileURLToPath} from 'node:url';
import type {DecompressJob} from '#main/compression';
import {workerUrls} from '#main/workers';
import type {DecompressResult} from './decompress-kernel.ts';
import type {FindVmcoreinfoJob, FoundVmcoreinfo} from './find-vmcoreinfo.ts';
import type {RamPages} from './populated.ts';
import type {PrefetchJob} from './prefetch.ts';
import type {ReadJsonJob, ReadJsonResult} from './read-json.ts';
import type {SaveMemoryJob, SaveMemoryResult} from './save-memory.ts';
import type {VerifyMemoryJob} from './verify-memory.ts';

/** Blocking or CPU-bound work with a start and an end, off the main thread. */
export interface JobPool {
	/** Number of jobs done at a time. */
	readonly threads: number;
	findVmcoreinfo(job: FindVmcoreinfoJob): Promise<FoundVmcoreinfo>;
	populatedChunks(ram: RamPages): Promise<boolean[][]>;
	decompressKernel(job: DecompressJob): Promise<DecompressResult>;
	prefetch(job: PrefetchJob): Promise<number>;
	readJson(job: ReadJsonJob): Promise<ReadJsonResult>;
	saveMemory(job: SaveMemoryJob): Promise<SaveMemoryResult>;
	verifyMemory(job: VerifyMemoryJob): Promise<number>;
	close(): Promise<void>;
}

/** Starts a pool of at most `threads` workers. Piscina is loaded here only: most machines never need it. */
export async function createJobPool(threads: number): Promise<JobPool> {
	const {Piscina} = await import('piscina');
	const pool = new Piscina({filename: fileURLToPath(workerUrls.job), minThreads: 1, maxThreads: threads});
	return {
		threads,
		findVmcoreinfo: (job) => pool.run(job, {name: 'findVmcoreinfo'}),
		populatedChunks: ({ranges, banks}) => pool.run({ranges, banks}, {name: 'populatedChunks'}),
		decompressKernel: (job) => pool.run(job, {name: 'decompressKernel'}),
		prefetch: (job) => pool.run(job, {name: 'prefetch'}),
		readJson: (job) => pool.run(job, {name: 'readJson'}),
		saveMemory: (job) => pool.run(job, {name: 'saveMemory'}),
		verifyMemory: (job) => pool.run(job, {name: 'verifyMemory'}),
		close: () => pool.close(),
	};
}
