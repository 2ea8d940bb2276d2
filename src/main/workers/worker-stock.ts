import {availableParallelism} from 'node:os';
import type {Worker} from 'node:worker_threads';
import {shareNetworkCount} from '#devices/network/user';
import type {DeviceWorker} from '#main/device-worker';
import {sharePoolCalls} from '#support/io-engine';
import {adoptWorker, type SpawnedWorker, spawnWorker} from '#support/rpc';
import type {VcpuWorker} from '#vcpu-worker/worker';
import {workerUrls} from './bundled-files.ts';
import {type DevicePlace, DevicePool} from './device-pool.ts';
import {type VcpuPlace, VcpuPool} from './vcpu-pool.ts';

/** Source of a machine's workers. */
export interface MachineWorkers {
	/** For one vCPU; it is the machine's until that lets it go. */
	takeVcpu(): VcpuPlace;
	/**
	 * A place for the back ends of the devices, on a thread that runs those of other machines too.
	 * @param isAlone - on one that does not
	 * @param others - places that the machine has already, on other threads
	 */
	takeDevices(isAlone: boolean, others: readonly DevicePlace[]): DevicePlace;
}

/** More threads than these have nothing to do that one machine's devices would wait for. */
const mostDeviceThreads = 4;

/** The threads that the machines of this process share. */
const devicePool = new DevicePool(spawnDevices, Math.min(mostDeviceThreads, availableParallelism()));

function spawnDevices(): SpawnedWorker<DeviceWorker> {
	sharePoolCalls();
	shareNetworkCount();
	return spawnWorker(workerUrls.device, 'devices');
}

/** What machines that have ended leave to others. A thread of them costs some 20 MiB. */
const mostSpareVcpus = 8;
const spareMs = 30_000;
const vcpuPool = new VcpuPool(mostSpareVcpus, spareMs);

const spawnVcpu = () => spawnWorker<VcpuWorker>(workerUrls.vcpu, 'vcpu');

/**
 * Threads that are started before a machine needs them: a thread takes as long to start as Node itself, so the sooner
 * the better. One stock may serve any number of machines.
 */
export class WorkerStock implements MachineWorkers {
	readonly #vcpus: SpawnedWorker<VcpuWorker>[] = [];

	/** @param first - a thread for a vCPU that has been started already */
	constructor(first?: Worker) {
		if (first !== undefined) this.#vcpus.push(adoptWorker<VcpuWorker>(first));
	}

	/** Has threads for this many vCPUs started, beside those that are left of other machines. Returns at once. */
	warm(vcpus: number): void {
		while (this.#vcpus.length + vcpuPool.spares < vcpus) this.#vcpus.push(spawnVcpu());
	}

	/** A thread that is left of another machine, or a waiting one, or else a new one. */
	takeVcpu(): VcpuPlace {
		return vcpuPool.take(() => this.#vcpus.shift() ?? spawnVcpu());
	}

	takeDevices(isAlone: boolean, others: readonly DevicePlace[]): DevicePlace {
		return devicePool.take(isAlone, others);
	}

	/** Ends the threads that nobody took. */
	async dispose(): Promise<void> {
		const idle = this.#vcpus.splice(0);
		await Promise.all(idle.map((worker) => worker.leave()));
	}
}
