import type {DeviceWorker} from '#main/device-worker';
import {ReactorState, type ReactorStateView} from '#support/reactor';
import type {SpawnedWorker} from '#support/rpc';

/** A machine's place on a thread that runs devices. */
export interface DevicePlace extends Pick<SpawnedWorker<DeviceWorker>, 'api' | 'eventLoopUse'> {
	/** The machine's number on its thread, by which the calls of {@link api} know it. */
	readonly machine: number;
	/** A `ReactorState`, which tells what the thread is doing. */
	readonly reactor: SharedArrayBuffer;
	/** Rejects when the thread fails, or ends without being told to; never resolves. */
	readonly failed: Promise<never>;
	/** Releases the machine's devices; the last one to leave ends the thread. */
	leave(): Promise<void>;
}

/** A thread in one turn for this long gets no more machines: it may not come back. */
const stuckNs = 2e9;

/**
 * Machines that one thread takes in its life. What they leave in its heap goes when V8 collects garbage there, which an idle thread
 * does not; each keeps several times 16 GiB of addresses until then, of the 128 TiB that a process has.
 */
const mostTaken = 64;

/** Threads that run devices, each for several machines. */
export class DevicePool {
	readonly #spawn: () => SpawnedWorker<DeviceWorker>;
	readonly #most: number;
	/** Threads that may get more machines. */
	readonly #open = new Set<PooledThread>();

	/** @param most - how many threads the machines share, beside those that do not come back */
	constructor(spawn: () => SpawnedWorker<DeviceWorker>, most: number) {
		this.#spawn = spawn;
		this.#most = most;
	}

	/**
	 * Finds a place for a machine: on a new thread while there are few, then on the one that has the fewest machines.
	 * @param isAlone - it gets a thread that is nobody else's, ever
	 * @param others - places of the same machine, which get threads apart: there are more than few where it has no other way
	 */
	take(isAlone: boolean, others: readonly DevicePlace[] = []): DevicePlace {
		const thread = (isAlone ? undefined : this.#idlest(others)) ?? new PooledThread(this.#spawn());
		if (isAlone) return thread.take(() => {});
		this.#open.add(thread);
		const close = () => void this.#open.delete(thread);
		thread.failed.catch(close);
		const place = thread.take(close);
		if (thread.isWornOut) close();
		return place;
	}

	#idlest(others: readonly DevicePlace[]): PooledThread | undefined {
		const open = [...this.#open].filter((thread) => !thread.isStuck);
		const apart = open.filter((thread) => others.every((place) => !thread.has(place)));
		if (open.length < this.#most || apart.length === 0) return undefined;
		return apart.reduce((idlest, thread) => (thread.machines < idlest.machines ? thread : idlest));
	}
}

class PooledThread {
	readonly failed: Promise<never>;
	readonly #worker: SpawnedWorker<DeviceWorker>;
	readonly #reactor = new SharedArrayBuffer(ReactorState.byteLength);
	readonly #state: ReactorStateView = ReactorState.on(this.#reactor);
	/** Told of the thread's death, by the machine's number. */
	readonly #places = new Map<number, (cause: unknown) => void>();
	#taken = 0;

	constructor(worker: SpawnedWorker<DeviceWorker>) {
		this.#worker = worker;
		this.failed = worker.failed;
		worker.failed.catch((cause: unknown) => {
			for (const fail of this.#places.values()) fail(cause);
		});
	}

	get machines(): number {
		return this.#places.size;
	}

	/** The place is on this thread. */
	has({reactor}: DevicePlace): boolean {
		return reactor === this.#reactor;
	}

	get isWornOut(): boolean {
		return this.#taken >= mostTaken;
	}

	/** It has been in one turn for long, as far as can be seen. */
	get isStuck(): boolean {
		const {waiting, turnNs} = this.#state;
		return waiting === 0 && turnNs !== 0 && Number(process.hrtime.bigint()) - turnNs > stuckNs;
	}

	/** @param emptied - called when the last machine leaves, and the thread ends */
	take(emptied: () => void): DevicePlace {
		const worker = this.#worker;
		const machine = this.#taken++;
		// Of the machine's own: a race with a promise that outlives it would be kept by that.
		const {promise: failed, reject} = Promise.withResolvers<never>();
		failed.catch(() => {});
		this.#places.set(machine, reject);
		const leave = async () => {
			this.#places.delete(machine);
			const isLast = this.#places.size === 0;
			if (isLast) emptied();
			try {
				await Promise.race([worker.api.remove(machine), worker.exited]);
			} catch (error) {
				// What is not released keeps the thread.
				if (isLast) void worker.leave();
				throw error;
			}
			if (isLast) await worker.leave();
		};
		const eventLoopUse = () => worker.eventLoopUse();
		return {api: worker.api, eventLoopUse, machine, reactor: this.#reactor, failed, leave};
	}
}
