import {emitWarning} from 'node:process';
import {fileURLToPath} from 'node:url';
import type {Piscina} from 'piscina';
import type {DecompressJob} from '#main/compression';
import {workerUrls} from '#main/workers';
import {threadLimits} from '#support/rpc';
import type {Compute} from '#vcpu-worker/hypervisor';
import type {DecompressResult} from './decompress-kernel.ts';
import type {FindVmcoreinfoJob, FoundVmcoreinfo} from './find-vmcoreinfo.ts';
import type {HostPages} from './populated.ts';
import type {PrefetchJob} from './prefetch.ts';
import type {ReadJsonJob, ReadJsonResult} from './read-json.ts';
import type {SaveMemoryJob, SaveMemoryResult} from './save-memory.ts';
import type {VerifyMemoryJob} from './verify-memory.ts';

type PoolOptions = ConstructorParameters<typeof Piscina>[0];

/** Translations are wanted in waves. The thread costs 20 MiB, and 0.1 s of processor time to start again. */
const idleMs = 3000;

/** Blocking or CPU-bound work with a start and an end, off the main thread. */
export interface JobPool {
	/** Number of jobs done at a time. */
	readonly threads: number;
	findVmcoreinfo(job: FindVmcoreinfoJob): Promise<FoundVmcoreinfo>;
	populatedChunks(pages: HostPages): Promise<boolean[][]>;
	decompressKernel(job: DecompressJob): Promise<DecompressResult>;
	prefetch(job: PrefetchJob): Promise<number>;
	readJson(job: ReadJsonJob): Promise<ReadJsonResult>;
	saveMemory(job: SaveMemoryJob): Promise<SaveMemoryResult>;
	verifyMemory(job: VerifyMemoryJob): Promise<number>;
	close(): Promise<void>;
}

/** Told of what nobody else is told of: a warning of the process, unless it is for a test. */
type Warn = (message: string) => void;

/** The thread for jobs of back ends, which ends when it has nothing to do for a while. */
export class Computing {
	readonly #filename: string;
	readonly #warn: Warn;
	#pool: Promise<Piscina> | undefined;
	#hasWarned = false;

	constructor(filename: string, warn: Warn = emitWarning) {
		this.#filename = filename;
		this.#warn = warn;
	}

	/** Does a job. One that a thread has died of may be of a guest's making: that is told once, and the next job has another thread. */
	readonly compute: Compute = async (name, job) => {
		const options = {minThreads: 0, maxThreads: 1, idleTimeout: idleMs, resourceLimits: threadLimits};
		this.#pool ??= openPool({filename: this.#filename, ...options}, this.#warn);
		const pool = await this.#pool;
		try {
			return await pool.run(job, {name});
		} catch (cause) {
			if (!this.#hasWarned)
				this.#warn(`A job of the processors (${name}) has failed, and they go on without: ${cause}`);
			this.#hasWarned = true;
			throw cause;
		}
	};
}

/** Of all machines of the process. */
export const {compute} = new Computing(fileURLToPath(workerUrls.job));

/** Opens a pool. Piscina is loaded here only: most machines never need it. */
async function openPool(options: PoolOptions, warn: Warn = emitWarning): Promise<Piscina> {
	const {Piscina: Pool} = await import('piscina');
	const pool = new Pool(options);
	let hasWarned = false;
	// A thread has died without a job, such as one that cannot load its code. Unheard this would end the process.
	pool.on('error', (cause: unknown) => {
		if (!hasWarned) warn(`A thread for jobs has died: ${cause}`);
		hasWarned = true;
		// Jobs that have waited for it fail, and would wait for ever. The next has another thread.
		pool.destroy().catch(() => {});
	});
	return pool;
}

/** Starts a pool of at most `threads` workers. */
export async function createJobPool(threads: number): Promise<JobPool> {
	const pool = await openPool({filename: fileURLToPath(workerUrls.job), minThreads: 1, maxThreads: threads});
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
