import {emitWarning} from 'node:process';
import type {MessagePort} from 'node:worker_threads';
import type {DeviceCommand} from '#devices/device';
import type {MachineLayout, OwnedState} from '#devices/machine';
import type {ErrorData, VmmError} from '#support/errors';
import {programLoader} from '#support/program';
import {EpollReactor, type ReactorOptions, ReactorState, type RunningReactor} from '#support/reactor';
import type {MachineHandle} from '#vcpu-worker/machine';
import {MachineDevices} from './machine-devices.ts';

/** Data that a machine's devices are made from. */
export interface DeviceWorkerData extends MachineHandle {
	/** Of {@link ReactorState}: what the thread is doing, for whoever looks. The same for every machine of a thread. */
	readonly reactor: SharedArrayBuffer;
	/** Number that the thread has among the machine's workers. */
	readonly worker: number;
	/** The thread's end of a channel of the machine's `ProgramObjects`. */
	readonly program: MessagePort;
	/** Time to look for work before sleeping, in nanoseconds; the first machine's counts. */
	readonly pollNs: number;
}

/** A device worker's use of its thread. */
export interface DeviceWorkerHost {
	/** Makes the reactor; without this, one over epoll. */
	readonly openReactor?: (options: ReactorOptions) => RunningReactor;
	/** Ends the thread, where this has one of its own. */
	readonly leave: () => void;
	/** Told of what nobody else is told of; a warning of the process without this. */
	readonly warn?: (message: string) => void;
}

/**
 * A device worker's answers to its owners: the machines whose devices it runs, by numbers that nobody uses twice. Each comes, stops and
 * goes by itself.
 */
export class DeviceWorker {
	readonly #machines = new Map<number, MachineDevices>();
	readonly #openReactor: (options: ReactorOptions) => RunningReactor;
	readonly #leave: () => void;
	readonly #warn: (message: string) => void;
	#reactor: RunningReactor | undefined;
	/** Since it is the thread's main loop. */
	#running: Promise<void> | undefined;

	constructor({openReactor = (options) => new EpollReactor(options), leave, warn = emitWarning}: DeviceWorkerHost) {
		this.#openReactor = openReactor;
		this.#warn = warn;
		this.#leave = leave;
	}

	/** Makes a machine's backs and opens what they need; the first gives the thread to the reactor. @throws VmmError when a host resource cannot be had */
	async create(machine: number, {reactor, pollNs, worker, program, ...handle}: DeviceWorkerData): Promise<void> {
		const state = ReactorState.on(reactor);
		this.#reactor ??= this.#openReactor({pollNs, state});
		let isWarned = false;
		const late = ({message}: VmmError) => {
			state.lateFailures++;
			if (!isWarned) this.#warn(`${message}. It has gone, and so nothing follows`);
			isWarned = true;
		};
		const devices = new MachineDevices(this.#reactor, late);
		this.#machines.set(machine, devices);
		try {
			await devices.create(handle, worker, program);
		} finally {
			this.#run(this.#reactor);
		}
		await devices.open();
	}

	/** Gives the thread to its reactor, after the answer to the call that is served has been sent. */
	#run(reactor: RunningReactor): void {
		this.#running ??= new Promise((resolve) => setImmediate(resolve)).then(() => reactor.run());
	}

	/** Resolves when a device's code has failed: the thread goes on, and the machine is to end. With nothing once it has left. */
	async failure(machine: number): Promise<ErrorData | undefined> {
		return this.#machines.get(machine)?.failure;
	}

	/** See {@link MachineDevices}, as the others. */
	async change(machine: number, layout: MachineLayout): Promise<void> {
		await this.#machines.get(machine)?.change(layout);
	}

	start(machine: number): void {
		this.#machines.get(machine)?.start();
	}

	async stop(machine: number): Promise<void> {
		await this.#machines.get(machine)?.stop();
	}

	reset(machine: number): void {
		this.#machines.get(machine)?.reset();
	}

	async save(machine: number): Promise<readonly OwnedState[]> {
		return (await this.#machines.get(machine)?.save()) ?? [];
	}

	async restore(machine: number, states: readonly OwnedState[]): Promise<void> {
		await this.#machines.get(machine)?.restore(states);
	}

	async inspect(machine: number, name: string): Promise<object> {
		return (await this.#machines.get(machine)?.inspect(name)) ?? {};
	}

	feed(machine: number, name: string, bytes: Uint8Array): number {
		return this.#machines.get(machine)?.feed(name, bytes) ?? bytes.length;
	}

	control(machine: number, name: string, command: DeviceCommand): void {
		this.#machines.get(machine)?.control(name, command);
	}

	/** Releases a machine's backs; the thread goes on. @throws VmmError DEVICE_STOP_TIMEOUT with what is not released */
	async remove(machine: number): Promise<void> {
		const devices = this.#machines.get(machine);
		this.#machines.delete(machine);
		await devices?.dispose();
		programLoader.keepCode();
	}

	/** Releases the backs of all machines and leaves the thread. Not answered. */
	async dispose(): Promise<void> {
		await Promise.allSettled([...this.#machines.keys()].map((machine) => this.remove(machine)));
		this.#reactor?.close();
		// It closes its descriptors when it runs to its end.
		if (this.#reactor !== undefined) this.#run(this.#reactor);
		await this.#running;
		this.#leave();
	}
}
