import {MessageChannel, type MessagePort} from 'node:worker_threads';
import {FakeReactor} from '#devices/testing';
import {DeviceWorker} from '#main/device-worker';
import {type DevicePlace, DevicePool, type MachineWorkers, type VcpuPlace} from '#main/workers';
import type {ReactorOptions, RunningReactor} from '#support/reactor';
import type {Leaving, SpawnedWorker} from '#support/rpc';
import {VcpuWorker} from '#vcpu-worker/worker';

export interface InProcessOptions {
	/** Number of threads that run the devices of all machines; without it, each machine has its own. */
	readonly deviceThreads?: number;
	/** Devices are on the thread of these, whatever their machine is: also those that would have one of their own. */
	readonly beside?: InProcessWorkers;
	/** Makes the devices' reactors, in place of some that the test turns. */
	readonly openReactor?: (options: ReactorOptions) => RunningReactor;
}

/** Machines without threads: their processors and devices take turns on the test's own. */
export class InProcessWorkers implements MachineWorkers {
	/** The devices' reactors, which the test turns; none where it brings its own. */
	readonly reactors: FakeReactor[];
	/** Stand-ins for the vCPUs' threads, in the order in which they were taken. */
	readonly vcpus: InProcessThread<VcpuWorker>[] = [];
	readonly devices: InProcessThread<DeviceWorker>[];

	/** Called for every thread that is taken, before it does anything. */
	taken: (thread: Pick<InProcessThread<Leaving>, 'die' | 'hang'>, kind: 'vcpu' | 'devices') => void = () => {};

	readonly #pool: DevicePool;
	readonly #beside: InProcessWorkers | undefined;
	readonly #openReactor: (options: ReactorOptions) => RunningReactor;

	constructor({deviceThreads = Number.POSITIVE_INFINITY, beside, openReactor}: InProcessOptions = {}) {
		this.#beside = beside;
		this.reactors = beside?.reactors ?? [];
		this.devices = beside?.devices ?? [];
		this.#pool = beside === undefined ? new DevicePool(() => this.#openDevices(), deviceThreads) : beside.#pool;
		this.#openReactor = openReactor ?? (() => this.#fakeReactor());
	}

	takeVcpu(): VcpuPlace {
		const thread: InProcessThread<VcpuWorker> = new InProcessThread(
			(leave) => new VcpuWorker(leave, () => thread.connect()),
		);
		this.vcpus.push(thread);
		this.taken(thread, 'vcpu');
		return thread;
	}

	takeDevices(isAlone: boolean, others: readonly DevicePlace[]): DevicePlace {
		return this.#pool.take(isAlone && this.#beside === undefined, others);
	}

	#fakeReactor(): FakeReactor {
		const reactor = new FakeReactor();
		this.reactors.push(reactor);
		return reactor;
	}

	#openDevices(): SpawnedWorker<DeviceWorker> {
		const openReactor = this.#openReactor;
		const thread = new InProcessThread((leave) => new DeviceWorker({openReactor, leave}));
		this.devices.push(thread);
		this.taken(thread, 'devices');
		return thread;
	}

	/** Threads that have been started here and not ended. */
	get alive(): number {
		const devices = this.#beside === undefined ? this.devices : [];
		return [...this.vcpus, ...devices].filter(({hasEnded}) => !hasEnded).length;
	}
}

/** Stands for one thread. Calls are served on the test's, each after what is under way. It can die, and hang. */
export class InProcessThread<T extends Leaving> implements SpawnedWorker<T> {
	readonly api: SpawnedWorker<T>['api'];
	hasEnded = false;
	isDead = false;
	readonly #worker: Leaving;
	readonly #death = Promise.withResolvers<never>();
	readonly #ended = Promise.withResolvers<void>();
	#isServing = true;

	constructor(make: (leave: () => void) => T) {
		this.#worker = make(() => this.#end());
		this.#death.promise.catch(() => {});
		this.api = new Proxy({}, {get: (_, method) => this.#call(method)}) as this['api'];
	}

	get failed(): Promise<never> {
		return this.#death.promise;
	}

	get exited(): Promise<void> {
		return this.#ended.promise;
	}

	/** Dies, as a thread does from an error that nobody has caught. Calls are not answered any more. */
	die(cause: Error): void {
		this.isDead = true;
		this.hang();
		this.#end();
		this.#death.reject(cause);
	}

	/** Comes back from no call any more. */
	hang(): void {
		this.#isServing = false;
	}

	eventLoopUse(): number {
		return performance.eventLoopUtilization().utilization;
	}

	keepProcess(): void {}

	connected: SpawnedWorker<T>['connected'] = () => {};

	listen(connected: SpawnedWorker<T>['connected']): void {
		this.connected = connected;
	}

	/** Opens a channel to whoever listens. */
	connect(): MessagePort {
		const {port1, port2} = new MessageChannel();
		this.connected(port2);
		return port1;
	}

	leave(): Promise<void> {
		// The thread ends all the same.
		this.#call('dispose')().catch(() => {});
		return this.exited;
	}

	#call(method: PropertyKey): (...words: unknown[]) => Promise<unknown> {
		const never = new Promise(() => {});
		return async (...words) => {
			if (!this.#isServing) return never;
			await null;
			try {
				return await Reflect.apply(Reflect.get(this.#worker, method), this.#worker, words);
			} finally {
				if (!this.#isServing) await never;
			}
		};
	}

	#end(): void {
		this.hasEnded = true;
		this.#ended.resolve();
	}
}
