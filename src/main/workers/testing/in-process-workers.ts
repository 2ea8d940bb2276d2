import {FakeReactor} from '#devices/testing';
import {DeviceWorker} from '#main/device-worker';
import type {MachineWorkers} from '#main/workers';
import {type Leaving, localWorker, type SpawnedWorker} from '#support/rpc';
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

/** What stands for one thread. It can die, and hang, when the test says so. */
export class InProcessThread<T extends Leaving> implements SpawnedWorker<T> {
	readonly api: SpawnedWorker<T>['api'];
	readonly failed: Promise<never>;
	readonly exited: Promise<void>;
	hasEnded = false;
	isDead = false;
	readonly #worker: SpawnedWorker<T>;
	readonly #death = Promise.withResolvers<never>();
	readonly #ended = Promise.withResolvers<void>();
	#isServing = true;

	constructor(make: (leave: () => void) => T) {
		this.#worker = localWorker(make);
		this.failed = this.#death.promise;
		this.failed.catch(() => {});
		this.exited = this.#ended.promise;
		void this.#worker.exited.then(() => this.#end());
		this.api = new Proxy(this.#worker.api as object, {
			get:
				(api, method) =>
				(...words: unknown[]) =>
					this.#answer(() => Reflect.get(api, method)(...words)),
		}) as SpawnedWorker<T>['api'];
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
		return this.#worker.eventLoopUse();
	}

	leave(): Promise<void> {
		if (this.#isServing) void this.#worker.leave();
		return this.exited;
	}

	async #answer(call: () => Promise<unknown>): Promise<unknown> {
		const never = new Promise(() => {});
		if (!this.#isServing) return never;
		try {
			return await call();
		} finally {
			if (!this.#isServing) await never;
		}
	}

	#end(): void {
		this.hasEnded = true;
		this.#ended.resolve();
	}
}
