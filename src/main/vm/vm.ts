import type {MachineEvent} from '#devices/device';
import type {UnclaimedAccess} from '#devices/io-bus';
import type {AttachedMachine} from '#devices/machine';
import type {GuestAction, GuestActions} from '#main/config';
import type {ErrorData} from '#support/errors';
import type {StopReason} from '#vcpu-worker/protocol';
import type {DeviceThread} from './device-thread.ts';
import type {StateUnits} from './units/index.ts';
import type {VcpuGroup} from './vcpu-group.ts';
import type {VmEnd, VmState} from './vm-end.ts';

/** What a machine is made of; see `createVm`. */
export interface VmParts {
	readonly machine: AttachedMachine;
	/** Everything that starts, stops and has state; the machine's life is theirs. */
	readonly units: StateUnits;
	readonly vcpus: VcpuGroup;
	readonly devices: DeviceThread;
	readonly actions: GuestActions;
	/** Device that gets console input. */
	readonly consoleDevice: string | undefined;
	/** Called when the guest has ended and its action keeps the stopped machine. */
	readonly halted: (end: VmEnd) => void;
	/** Releases host resources, after the threads have ended. */
	readonly release: () => void;
}

/** What a machine is doing, read from shared memory without anybody's help. */
export interface VmInspection {
	readonly state: VmState;
	readonly vcpus: ReturnType<VcpuGroup['inspect']>;
	readonly devices: ReturnType<AttachedMachine['inspect']>;
	readonly unclaimed: readonly UnclaimedAccess[];
	/** Nanoseconds of VM time. */
	readonly timeNs: number;
}

/**
 * A virtual machine. Its operations may be called at any moment and in any order: each waits for the one before it, and
 * does nothing when the machine is already as asked.
 */
export class Vm {
	/** Resolves when the machine has ended and released everything. */
	readonly ended: Promise<VmEnd>;
	readonly #parts: VmParts;
	#state: VmState = 'created';
	#last: Promise<void> = Promise.resolve();
	#end: (end: VmEnd) => void = () => {};

	constructor(parts: VmParts) {
		this.#parts = parts;
		parts.vcpus.stopped = (vcpu, reason) => void this.#next(() => this.#stopped(vcpu, reason));
		this.ended = new Promise((resolve) => {
			this.#end = resolve;
		});
	}

	get state(): VmState {
		return this.#state;
	}

	/** Lets the guest run: for the first time, or after {@link pause}. */
	start(): Promise<void> {
		return this.#next(async () => {
			if (this.#state === 'created' || this.#state === 'paused') await this.#run();
		});
	}

	/** The same as {@link start}. */
	resume(): Promise<void> {
		return this.start();
	}

	/** Takes the guest off every processor; resolves when nothing is in flight. */
	pause(): Promise<void> {
		return this.#next(async () => {
			if (this.#state !== 'running') return;
			await this.#halt();
			this.#state = 'paused';
		});
	}

	/** Starts the guest from its image again. A paused machine stays paused. */
	reset(): Promise<void> {
		return this.#next(async () => {
			if (this.#state === 'stopped') return;
			const wasPaused = this.#state === 'paused' || this.#state === 'created';
			if (this.#state === 'running') await this.#halt();
			await this.#powerOn();
			if (!wasPaused) await this.#run();
		});
	}

	/** Sends a non-maskable interrupt to the boot processor. */
	nmi(): Promise<void> {
		return this.#next(async () => {
			const wasRunning = this.#state === 'running';
			if (wasRunning) await this.#halt();
			if (wasRunning || this.#state === 'paused') await this.#parts.vcpus.nmi();
			if (wasRunning) await this.#run();
		});
	}

	/** Ends the machine, whatever it is doing. */
	stop(): Promise<void> {
		return this.#next(() => this.#finish({kind: 'stopped'}));
	}

	/** Offers console input; returns how many bytes were taken. The rest is to be offered again later. */
	async feedConsole(bytes: Uint8Array): Promise<number> {
		const {devices, consoleDevice} = this.#parts;
		if (consoleDevice === undefined || this.#state === 'stopped') return bytes.length;
		return devices.feed(consoleDevice, bytes);
	}

	/** Live counters and device state, read from shared memory. */
	inspect(): VmInspection {
		const {machine, vcpus} = this.#parts;
		return {
			state: this.#state,
			vcpus: vcpus.inspect(),
			devices: machine.inspect(),
			unclaimed: machine.unclaimed.list(),
			timeNs: machine.time.nowNs(),
		};
	}

	/** Runs operations one after another. A failing one ends the machine. */
	#next(operation: () => Promise<void>): Promise<void> {
		const result = this.#last.then(operation);
		this.#last = result.catch(() => {});
		return result;
	}

	/** Puts everything into its state at power-on, in which it is created. */
	async #powerOn(): Promise<void> {
		const {units, machine} = this.#parts;
		machine.events.clear();
		await units.reset();
	}

	async #run(): Promise<void> {
		this.#state = 'running';
		await this.#parts.units.start();
	}

	/** Everything out of the guest and quiescent. */
	#halt(): Promise<void> {
		return this.#parts.units.stop();
	}

	/** A vCPU stopped by itself. */
	async #stopped(vcpu: number, reason: StopReason): Promise<void> {
		if (this.#state !== 'running') return;
		const {machine, actions} = this.#parts;
		await this.#halt();
		this.#state = 'halted';
		if (reason.kind === 'failed') return this.#fail(reason.error);
		if (reason.kind === 'crash') {
			const crash = (status: number): VmEnd => ({kind: 'crash', reason: reason.reason, vcpu, status});
			return this.#act(actions.crash, crash);
		}
		const event = machine.events.event;
		machine.events.clear();
		if (event === undefined) return this.#run();
		return this.#serve(event);
	}

	#serve(event: MachineEvent): Promise<void> {
		const {actions} = this.#parts;
		const exit = (status: number): VmEnd => ({kind: 'exit', status});
		if (event.kind === 'exit') return this.#finish(exit(event.status));
		if (event.kind === 'reset') return this.#act(actions.reset, exit);
		const end = (status: number): VmEnd => (status === 0 ? {kind: event.kind} : exit(status));
		return this.#act(actions.shutdown, end);
	}

	async #act(action: GuestAction, end: (status: number) => VmEnd): Promise<void> {
		if (action === 'halt') return this.#parts.halted(end(0));
		if (action !== 'reset') return this.#finish(end(action.exit));
		await this.#powerOn();
		await this.#run();
	}

	#fail(error: ErrorData): Promise<void> {
		return this.#finish({kind: 'error', error});
	}

	async #finish(end: VmEnd): Promise<void> {
		if (this.#state === 'stopped') return;
		const {devices, vcpus, release} = this.#parts;
		if (this.#state === 'running') await this.#halt();
		this.#state = 'stopped';
		await devices.dispose();
		await vcpus.dispose();
		release();
		this.#end(end);
	}
}
