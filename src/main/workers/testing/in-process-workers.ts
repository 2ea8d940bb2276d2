import {FakeReactor} from '#devices/testing';
import {DeviceWorker} from '#main/device-worker';
import type {MachineWorkers} from '#main/workers';
import type {Leaving, SpawnedWorker} from '#support/rpc';
import {VcpuWorker} from '#vcpu-worker/worker';

/** A machine without threads: its processors and devices take turns on the test's own. */
export class InProcessWorkers implements MachineWorkers {
	/** The devices' reactors, which the test turns. */
	readonly reactors: FakeReactor[] = [];
	/** What stands for the threads, in the order in which they were taken. */
	readonly vcpus: InProcessThread<VcpuWorker>[] = [];
	readonly devices: InProcessThread<DeviceWorker>[] = [];

	/** Called for every thread that is taken, before it does anything. */
	taken: (thread: Pick<InProcessThread<Leaving>, 'die' | 'hang'>, kind: 'vcpu' | 'devices') => void = () => {};

	takeVcpu(): SpawnedWorker<VcpuWorker> {
		const thread = new InProcessThread((leave) => new VcpuWorker(leave));
		this.vcpus.push(thread);
		this.taken(thread, 'vcpu');
		return thread;
	}

	takeDevices(): SpawnedWorker<DeviceWorker> {
		const openReactor = (options: ConstructorParameters<typeof FakeReactor>[0]) => {
			const reactor = new FakeReactor(options);
			this.reactors.push(reactor);
			return reactor;
		};
		const thread = new InProcessThread((leave) => new DeviceWorker({openReactor, leave}));
		this.devices.push(thread);
		this.taken(thread, 'devices');
		return thread;
	}

	/** Threads that have been taken and not ended. */
	get alive(): number {
		return [...this.vcpus, ...this.devices].filter(({hasEnded}) => !hasEnded).length;
	}
}

/** What stands for one thread. Calls are served on the test's, each after what is under way. It can die, and hang. */
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
