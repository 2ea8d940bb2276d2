import type {MachineLayout} from '#devices/machine';
import type {BootRegisters} from '#devices/processor';
import {VmmError} from '#support/errors';
import {stateError} from '#support/saved-state';
import type {DebugPlan} from '#vcpu-worker/debug';
import type {StopReason} from '#vcpu-worker/protocol';
import type {ProcessorRegisters} from '#vcpu-worker/registers';
import {parsedVcpuState, type VcpuState} from '#vcpu-worker/state';
import {failureData} from './failure-data.ts';
import type {VcpuThread} from './vcpu-thread.ts';

/** Called when a vCPU stops by itself: for a guest's request, a crash or a failure. */
export type StopHandler = (vcpu: number, reason: StopReason) => void;

/** All vCPUs of a machine. */
export class VcpuGroup {
	readonly #threads: readonly VcpuThread[];
	#runs: Promise<StopReason | undefined>[] = [];
	#starting: Promise<void> | undefined;
	#endedCount = 0;
	/** The counters are not what VM time asks for. */
	#stoodStill = false;
	/** Hears that a vCPU has stopped by itself. */
	stopped: StopHandler = () => {};
	readonly #planOf: (vcpu: number) => DebugPlan | 'hold' | undefined;

	/**
	 * @param threads - in order of their index; the first is the boot processor
	 * @param planOf - what a debugger wants of a vCPU's next run; `hold`: not to run
	 */
	constructor(threads: readonly VcpuThread[], planOf: (vcpu: number) => DebugPlan | 'hold' | undefined) {
		this.#threads = threads;
		this.#planOf = planOf;
		// Also of a vCPU that does not run.
		for (const thread of threads) thread.failed.catch((cause: unknown) => this.stopped(thread.index, failed(cause)));
	}

	get count(): number {
		return this.#threads.length;
	}

	/** A vCPU by its index. */
	at(index: number): VcpuThread {
		const thread = this.#threads[index];
		if (thread === undefined) throw new RangeError(`there is no vCPU ${index}`);
		return thread;
	}

	/** Resolves when every vCPU exists; rejects with the first failure. */
	async ready(): Promise<void> {
		await Promise.all(this.#threads.map((thread) => thread.ready()));
	}

	/** The registers of all vCPUs. Only while no vCPU runs. */
	readRegisters(): Promise<ProcessorRegisters[]> {
		return Promise.all(this.#threads.map((thread) => thread.readRegisters()));
	}

	/** Puts all vCPUs into their state at power-on, the boot processor at `entry`. Only while no vCPU runs. */
	async reset(entry: BootRegisters): Promise<void> {
		await Promise.all(this.#threads.map((thread, index) => thread.reset(index === 0 ? entry : undefined)));
	}

	/** Every vCPU's state, in order. Only while no vCPU runs. */
	save(): Promise<unknown[]> {
		return Promise.all(this.#threads.map((thread) => thread.save()));
	}

	/** Gives every vCPU the state that {@link save} gave. Only while no vCPU runs. @throws VmmError STATE_FIELD_WRONG, … */
	async restore(saved: unknown): Promise<void> {
		const list = Array.isArray(saved) ? (saved as unknown[]) : [];
		const [boot, ...others] = this.#threads;
		if (boot === undefined || list.length !== this.#threads.length)
			throw stateError('STATE_FIELD_WRONG', {struct: 'vcpus', field: `number of vCPUs (${list.length})`});
		const [first, ...states] = list.map(parsedVcpuState) as [VcpuState, ...VcpuState[]];
		// The others' time-stamp counters follow the first one's.
		const shift = await boot.restore(first);
		await Promise.all(others.map((thread, index) => thread.restore(states[index] as VcpuState, shift)));
		this.#stoodStill = true;
	}

	/** Follows the machine to devices that have come or gone. Only while no vCPU runs. */
	async change(layout: MachineLayout): Promise<void> {
		await Promise.all(this.#threads.map((thread) => thread.change(layout)));
	}

	/** Lets every vCPU run that no debugger holds. Their time-stamp counters go by VM time, which runs already. */
	start(): Promise<void> {
		this.#starting = this.#start();
		return this.#starting;
	}

	async #start(): Promise<void> {
		if (this.#stoodStill && !(await this.#resume())) return;
		this.#runs = this.#threads.map(async (thread) => {
			const plan = this.#planOf(thread.index);
			if (plan === 'hold') return undefined;
			const reason = await thread.run(plan).catch(failed);
			if (reason.kind !== 'requested') this.stopped(thread.index, reason);
			return reason;
		});
	}

	/**
	 * Takes every vCPU out of the guest, its last exit complete.
	 * @throws VmmError of a vCPU whose state is not that between two instructions, once all stand still
	 */
	async stop(): Promise<void> {
		await this.#starting;
		this.#stoodStill = true;
		for (const thread of this.#threads) thread.requestStop();
		const reasons = await Promise.all(this.#runs);
		this.#runs = [];
		for (const thread of this.#threads) thread.allowRun();
		for (const reason of reasons) if (reason?.kind === 'failed') throw new VmmError(reason.error);
	}

	/** The others' time-stamp counters follow the first one's. False when one cannot go on, which has been told then. */
	async #resume(): Promise<boolean> {
		const resume = async (thread: VcpuThread, shift?: bigint) => {
			try {
				return {shift: await thread.resume(shift)};
			} catch (cause) {
				this.stopped(thread.index, failed(cause));
				return undefined;
			}
		};
		const [boot, ...others] = this.#threads;
		const first = boot && (await resume(boot));
		if (first === undefined) return false;
		const {shift} = first;
		const followed = shift === undefined ? [] : await Promise.all(others.map((thread) => resume(thread, shift)));
		this.#stoodStill = followed.includes(undefined);
		return !this.#stoodStill;
	}

	/** Queues a non-maskable interrupt on the boot processor. No vCPU stops for it. */
	nmi(): void {
		this.#threads[0]?.nmi();
	}

	/** Threads that {@link dispose} has seen end. */
	get endedCount(): number {
		return this.#endedCount;
	}

	/** Ends the threads. Only while no vCPU runs. */
	async dispose(): Promise<void> {
		const end = async (thread: VcpuThread) => {
			await thread.dispose();
			this.#endedCount++;
		};
		await Promise.all(this.#threads.map(end));
	}
}

/** A thread that died is a vCPU that cannot go on. */
const failed = (cause: unknown): StopReason => ({kind: 'failed', error: failureData(cause, 'A vCPU thread failed')});
