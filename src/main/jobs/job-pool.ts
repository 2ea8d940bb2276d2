import {fileURLToPath} from 'node:url';
import type {Piscina} from 'piscina';
import type {DecompressJob} from '#main/compression';
import {workerUrls} from '#main/workers';
import {threadLimits} from '#support/rpc';
import type {Compute} from '#vcpu-worker/hypervisor';
import type {DecompressResult} from './decompress-kernel.ts';
import type {FindVmcoreinfoJob, FoundVmcoreinfo} from './find-vmcoreinfo.ts';
import type {RamPages} from './populated.ts';
import type {PrefetchJob} from './prefetch.ts';
import type {ReadJsonJob, ReadJsonResult} from './read-json.ts';
import type {SaveMemoryJob, SaveMemoryResult} from './save-memory.ts';
import type {VerifyMemoryJob} from './verify-memory.ts';

/** Translations are wanted in waves. The thread costs 20 MiB, and 0.1 s of processor time to start again. */
const idleMs = 3000;

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

let computing: Promise<Piscina> | undefined;

/** Does the jobs of back ends, of all machines of the process, on one thread that ends when it has nothing to do for a while. */
export const compute: Compute = async (name, job) => {
	computing ??= import('piscina').then(({Piscina: Pool}) => {
		const filename = fileURLToPath(workerUrls.job);
		return new Pool({filename, minThreads: 0, maxThreads: 1, idleTimeout: idleMs, resourceLimits: threadLimits});
	});
	return (await computing).run(job, {name});
};

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
