import {type SpawnedWorker, spawnWorker} from '#support/rpc';
import type {VcpuWorker} from '#vcpu-worker/worker';
import {workerUrls} from './bundled-files.ts';

const spawnVcpu = () => spawnWorker<VcpuWorker>(workerUrls.vcpu, 'vcpu');

/**
 * Threads that are started before a machine needs them: a thread takes as long to start as Node itself, so the sooner
 * the better. One stock may serve any number of machines.
 */
export class WorkerStock {
	readonly #vcpus: SpawnedWorker<VcpuWorker>[] = [];

	/** Starts threads for this many vCPUs. Returns at once. */
	warm(vcpus: number): void {
		for (let index = 0; index < vcpus; index++) this.#vcpus.push(spawnVcpu());
	}

	/** A thread for a vCPU, which is then the caller's: a waiting one, or else a new one. */
	takeVcpu(): SpawnedWorker<VcpuWorker> {
		return this.#vcpus.shift() ?? spawnVcpu();
	}

	/** Ends the threads that nobody took. */
	async dispose(): Promise<void> {
		const idle = this.#vcpus.splice(0);
		await Promise.all(idle.map((worker) => worker.leave()));
	}
}
