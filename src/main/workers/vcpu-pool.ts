import type {SpawnedWorker} from '#support/rpc';
import type {VcpuWorker} from '#vcpu-worker/worker';

/** A vCPU's thread, for as long as its machine has it. */
export interface VcpuPlace extends Pick<SpawnedWorker<VcpuWorker>, 'eventLoopUse'> {
	/** @throws Error once the machine has let the thread go: another one may have it */
	readonly api: SpawnedWorker<VcpuWorker>['api'];
	/** Rejects when the thread fails, or ends without being told to, while the machine has it; never resolves. */
	readonly failed: Promise<never>;
	/** Hears of channels that the thread opens to its owner, while the machine has it. */
	listen(connected: SpawnedWorker<VcpuWorker>['connected']): void;
	/** Closes the vCPU and lets the thread go, which then ends or waits for another machine. */
	leave(): Promise<void>;
}

/**
 * Machines that one thread takes in its life: what they leave in its heap goes when V8 collects garbage there, and keeps
 * addresses until then, as on the devices' threads.
 */
const mostTaken = 64;

/**
 * Threads of vCPUs whose machines have ended, for others: all that a vCPU executes is loaded and compiled there. They keep no process from
 * its end.
 */
export class VcpuPool {
	readonly #most: number;
	readonly #spareMs: number;
	/** The last is the one that has waited least. */
	readonly #spares: PooledVcpu[] = [];

	/**
	 * @param most - how many threads wait at once
	 * @param spareMs - how long each of them does
	 */
	constructor(most: number, spareMs: number) {
		this.#most = most;
		this.#spareMs = spareMs;
	}

	/** Threads that wait. */
	get spares(): number {
		return this.#spares.length;
	}

	/** Gives a machine a thread that waits, or else one that is started for it. */
	take(start: () => SpawnedWorker<VcpuWorker>): VcpuPlace {
		const thread = this.#spares.at(-1) ?? new PooledVcpu(start(), (dead) => this.#forget(dead));
		this.#forget(thread);
		return thread.take(() => this.#keep(thread));
	}

	/** @returns false where enough threads wait */
	#keep(thread: PooledVcpu): boolean {
		if (this.#spares.length >= this.#most) return false;
		this.#spares.push(thread);
		thread.waitFor(this.#spareMs, () => {
			this.#forget(thread);
			thread.end();
		});
		return true;
	}

	#forget(thread: PooledVcpu): void {
		const at = this.#spares.indexOf(thread);
		if (at >= 0) this.#spares.splice(at, 1);
	}
}

class PooledVcpu {
	readonly #worker: SpawnedWorker<VcpuWorker>;
	#taken = 0;
	#waiting: NodeJS.Timeout | undefined;
	/** Tells the machine that has the thread of its death. */
	#fail: (cause: unknown) => void = () => {};

	/** @param died - called when the thread fails */
	constructor(worker: SpawnedWorker<VcpuWorker>, died: (thread: PooledVcpu) => void) {
		this.#worker = worker;
		worker.failed.catch((cause: unknown) => {
			died(this);
			clearTimeout(this.#waiting);
			this.#fail(cause);
		});
	}

	/** @param keep - keeps the thread, where there is room */
	take(keep: () => boolean): VcpuPlace {
		const worker = this.#worker;
		clearTimeout(this.#waiting);
		worker.keepProcess(true);
		this.#taken++;
		// Of the machine's own: a race with a promise that outlives it would be kept by that.
		const {promise: failed, reject} = Promise.withResolvers<never>();
		failed.catch(() => {});
		this.#fail = reject;
		let leaving: Promise<void> | undefined;
		return {
			get api() {
				if (leaving !== undefined) throw new Error("the vCPU's thread has been let go");
				return worker.api;
			},
			failed,
			eventLoopUse: () => worker.eventLoopUse(),
			listen(connected) {
				worker.connected = connected;
			},
			leave: () => {
				leaving ??= this.#leave(keep);
				return leaving;
			},
		};
	}

	async #leave(keep: () => boolean): Promise<void> {
		const {api, exited} = this.#worker;
		// What cannot be released goes with the thread.
		const isFit = await Promise.race([api.release().catch(() => false), exited]);
		this.#fail = () => {};
		this.#worker.connected = (port) => port.close();
		if (isFit !== true || this.#taken >= mostTaken || !keep()) await this.#worker.leave();
	}

	/** Waits for a machine, for so long. */
	waitFor(ms: number, late: () => void): void {
		this.#worker.keepProcess(false);
		this.#waiting = setTimeout(late, ms).unref();
	}

	end(): void {
		void this.#worker.leave();
	}
}
