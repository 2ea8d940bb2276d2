import {FakeReactor} from '#devices/testing';
import {DeviceWorker} from '#main/device-worker';
import type {MachineWorkers} from '#main/workers';
import {localWorker, type SpawnedWorker} from '#support/rpc';
import {VcpuWorker} from '#vcpu-worker/worker';

/** A machine without threads: its processors and devices take turns on the test's own. */
export class InProcessWorkers implements MachineWorkers {
	/** The devices' reactors, which the test turns. */
	readonly reactors: FakeReactor[] = [];

	takeVcpu(): SpawnedWorker<VcpuWorker> {
		return localWorker((leave) => new VcpuWorker(leave));
	}

	takeDevices(): SpawnedWorker<DeviceWorker> {
		const openReactor = (options: ConstructorParameters<typeof FakeReactor>[0]) => {
			const reactor = new FakeReactor(options);
			this.reactors.push(reactor);
			return reactor;
		};
		return localWorker((leave) => new DeviceWorker({openReactor, leave}));
	}
}
