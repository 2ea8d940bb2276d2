import type {MachineLayout} from '#devices/machine';
import type {BootRegisters} from '#devices/processor';
import type {VcpuPlace} from '#main/workers';
import type {DebugPlan} from '#vcpu-worker/debug';
import type {AttachedPartition} from '#vcpu-worker/hypervisor';
import {VcpuLatencies, type VcpuLatenciesView} from '#vcpu-worker/latency';
import {type CpuReport, ProbeAsker} from '#vcpu-worker/probe';
import {type StopReason, VcpuCommand, VcpuControl, type VcpuControlView, vcpuShared} from '#vcpu-worker/protocol';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {SampleAsker} from '#vcpu-worker/sampling';
import type {VcpuState} from '#vcpu-worker/state';
import type {VcpuWorkerData} from '#vcpu-worker/worker';

const stopWord = VcpuControl.word('stopRequested');
const commandsWord = VcpuControl.word('commands');
const sampleEveryWord = VcpuLatencies.word('sampleEvery');

/** One exit of this many is timed: often enough to see, too seldom to cost. */
const defaultSampleEvery = 256;

/** A vCPU's thread as the machine's owner has it. */
export class VcpuThread {
	readonly index: number;
	readonly control: VcpuControlView;
	readonly latencies: VcpuLatenciesView;
	/** Samples of what it executes. */
	readonly samples: SampleAsker;
	readonly #worker: VcpuPlace;
	readonly #kick: () => void;
	readonly #probe: ProbeAsker;
	readonly #created: Promise<void>;
	/** From when it is asked for until its end is known here. */
	#run: Promise<StopReason> | undefined;

	/**
	 * @param worker - a thread of this vCPU's own, which is now told to create it; {@link ready} tells when it has
	 * @param partition - as this thread has it
	 */
	constructor(worker: VcpuPlace, data: VcpuWorkerData, partition: Pick<AttachedPartition, 'kick'>) {
		const {index} = data;
		const {control, probe, latencies, sample} = vcpuShared(data.control);
		this.index = index;
		this.control = control;
		this.latencies = latencies;
		latencies.sampleEvery = defaultSampleEvery;
		this.#kick = () => partition.kick(index);
		this.#probe = new ProbeAsker(probe, this.#kick);
		this.samples = new SampleAsker(sample, this.#kick);
		this.#worker = worker;
		this.#created = this.#call((api) => api.create(data));
		this.#created.catch(() => {});
	}

	/** Rejects when the thread dies; never resolves. */
	get failed(): Promise<never> {
		return this.#worker.failed;
	}

	/** Resolves when the vCPU exists; rejects with what prevented it. */
	ready(): Promise<void> {
		return this.#created;
	}

	/** Puts the vCPU into its state at power-on. Only while the vCPU is not running; it may yet have to be created. */
	async reset(entry?: BootRegisters): Promise<void> {
		await this.#whenCreated(this.#call((api) => api.reset(entry)));
	}

	/** The vCPU's state, as data that survives JSON. Only while the vCPU is not running. */
	save(): Promise<unknown> {
		return this.#call(async (api) => api.save());
	}

	/** Takes a state; see `CpuBackend.restore`. Only while the vCPU is not running; it may yet have to be created. */
	restore(state: VcpuState, counterShift?: bigint): Promise<bigint> {
		return this.#whenCreated(this.#call<bigint>(async (api) => api.restore(state, counterShift)));
	}

	/** Goes on after the machine stood still: see {@link VcpuWorker.resume}. Only while the vCPU is not running. */
	resume(counterShift?: bigint): Promise<bigint | undefined> {
		return this.#call<bigint | undefined>(async (api) => api.resume(counterShift));
	}

	/** Follows the machine to devices that have come or gone. Only while the vCPU is not running. */
	async change(layout: MachineLayout): Promise<void> {
		await this.#call((api) => api.change(layout));
	}

	/** Runs the vCPU until it stops; see {@link requestStop}. @param plan - what a debugger wants of the run */
	run(plan?: DebugPlan): Promise<StopReason> {
		const run = this.#call<StopReason>(async (api) => api.run(plan));
		const ended = () => {
			this.#run = undefined;
		};
		run.then(ended, ended);
		this.#run = run;
		return run;
	}

	get isRunning(): boolean {
		return this.#run !== undefined;
	}

	/** The registers. Only while the vCPU is not running. */
	readRegisters(): Promise<ProcessorRegisters> {
		return this.#call<ProcessorRegisters>(async (api) => api.readRegisters());
	}

	/** Changes registers. Only while the vCPU is not running. @throws VmmError for values that no processor can hold */
	async writeRegisters(changes: RegisterChanges): Promise<void> {
		await this.#call((api) => api.writeRegisters(changes));
	}

	/** Asks a running vCPU to leave the guest. Returns at once; {@link run} resolves soon after. */
	requestStop(): void {
		Atomics.store(this.control.$atomic, stopWord, 1);
		this.#kick();
	}

	/** Takes the request back. Only while the vCPU is not running. */
	allowRun(): void {
		Atomics.store(this.control.$atomic, stopWord, 0);
	}

	/** Reports what the processor is doing, while it runs or not. Pending for as long as its thread hangs. */
	async report(): Promise<CpuReport> {
		// A call would wait behind a run, also behind one that the thread has not begun yet.
		while (this.#run !== undefined) {
			const answer = await this.#probe.ask(this.#run);
			if (answer !== undefined) return answer;
		}
		return this.#call((api) => api.report());
	}

	/** Has one exit of so many timed, or none with 0. */
	sampleExits(every: number): void {
		Atomics.store(this.latencies.$atomic, sampleEveryWord, every);
		this.#kick();
	}

	/** The part of its time, 0–1, that the thread's event loop was not idle; inside the guest it is not. */
	eventLoopUse(): number {
		return this.#worker.eventLoopUse();
	}

	/** Queues a non-maskable interrupt, while the vCPU runs or not. Returns at once. */
	nmi(): void {
		Atomics.or(this.control.$atomic, commandsWord, VcpuCommand.NMI);
		this.#kick();
	}

	/** Closes the vCPU and lets the thread go. Only while the vCPU is not running. */
	async dispose(): Promise<void> {
		await this.#worker.leave();
	}

	/** A call that the thread has been given at once. Where the vCPU could not be created, that is what it fails with. */
	async #whenCreated<R>(call: Promise<R>): Promise<R> {
		call.catch(() => {});
		await this.#created;
		return call;
	}

	/** A call that fails when the thread does. */
	#call<R>(action: (api: VcpuPlace['api']) => Promise<R>): Promise<R> {
		return Promise.race([action(this.#worker.api), this.#worker.failed]);
	}
}
