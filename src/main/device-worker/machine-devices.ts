import type {MessagePort} from 'node:worker_threads';
import type {DeviceCommand} from '#devices/device';
import {
	type AttachedMachine,
	DeviceBacks,
	type MachineLayout,
	type OwnedState,
	type PlacedWorker,
} from '#devices/machine';
import {loadDeviceModels} from '#devices/registry';
import {type ErrorData, isVmmError, type VmmError} from '#support/errors';
import {Waker, type WakerHandle} from '#support/mailbox';
import type {RunningReactor} from '#support/reactor';
import {ProgramCalls} from '#support/rpc';
import {attachMachine, type MachineHandle} from '#vcpu-worker/machine';

interface LiveDevices {
	readonly machine: AttachedMachine;
	readonly backs: DeviceBacks;
	readonly waker: WakerHandle;
}

/** The devices of one machine, on a thread that may run those of others. */
export class MachineDevices {
	/** Resolves when a device's code has failed and its machine is to end; with nothing once the machine has left. */
	readonly failure: Promise<ErrorData | undefined>;
	readonly #reactor: RunningReactor;
	readonly #failed: (error: ErrorData | undefined) => void;
	readonly #late: (error: VmmError) => void;
	#live: LiveDevices | undefined;
	#program: ProgramCalls | undefined;
	/** Which of the machine's workers this is. */
	#worker = 0;
	/** The machine's part of its thread's reactor. */
	#part: {close(): void} | undefined;
	/** Resolves when {@link create} has made the backs, or could not. */
	#creating: Promise<unknown> = Promise.resolve();

	/** @param late - told of what fails that a device has left under way when it went */
	constructor(reactor: RunningReactor, late: (error: VmmError) => void) {
		this.#reactor = reactor;
		this.#late = late;
		const {promise, resolve} = Promise.withResolvers<ErrorData | undefined>();
		this.failure = promise;
		this.#failed = resolve;
	}

	/**
	 * Makes the backs, which are to be {@link open}ed. Call first.
	 * @param worker - which of the machine's workers this is
	 * @param program - leads to the objects of the machine's program
	 * @throws VmmError when a host resource cannot be had
	 */
	create(handle: MachineHandle, worker: number, program: MessagePort): Promise<void> {
		this.#program = new ProgramCalls(program, this.#reactor);
		this.#worker = worker;
		const created = this.#create(handle, worker);
		this.#creating = created.catch(() => {});
		return created;
	}

	async #create(handle: MachineHandle, worker: number): Promise<void> {
		const {waker} = handle.layout.workers[worker] as PlacedWorker;
		const {machine} = await attachMachine(handle, {alertsBootCpu: true, isShared: true});
		const backs = new DeviceBacks(machine, this.#reactor, (error) => this.#failed(error.toData()), {
			worker,
			late: this.#late,
			program: this.#program,
		});
		this.#live = {machine, backs, waker};
	}

	/**
	 * Opens what the backs need of the host, which are served from then on. With the reactor running, since a file system
	 * may hang.
	 * @throws VmmError when a host resource cannot be had
	 */
	async open(): Promise<void> {
		await this.#live?.backs.open();
		if (this.#live === undefined) return;
		const {backs, waker} = this.#live;
		const bell = new Waker(waker);
		this.#part = this.#reactor.look({
			wakeFd: waker.wakeFd,
			poll: (isOver) => this.#poll(backs, isOver),
			sleeping: (asleep) => bell.sleeping(asleep),
		});
	}

	/** A mistake of ours ends this machine, and not the others of its thread. */
	#poll(backs: DeviceBacks, isOver: () => boolean): boolean {
		try {
			return backs.poll(isOver);
		} catch (cause) {
			this.#part?.close();
			this.#failed(isVmmError(cause) ? cause.toData() : internalError(cause));
			return false;
		}
	}

	/** Follows the machine to devices that have come or gone. While nothing is in flight. */
	async change(layout: MachineLayout): Promise<void> {
		if (this.#live === undefined) return;
		const {findModel} = await loadDeviceModels(layout.modules);
		this.#live?.machine.change(layout, findModel);
		await this.#live?.backs.change();
		await this.#live?.backs.open();
	}

	/** Starts every back. */
	start(): void {
		this.#live?.backs.start();
	}

	/** Resolves when no back has anything in flight. */
	async stop(): Promise<void> {
		await this.#live?.backs.stop();
	}

	/** Gives the devices that live here alone their state at power-on. While nothing is in flight, as the rest. */
	reset(): void {
		this.#live?.backs.owned.reset();
	}

	/** The state of those devices. @throws VmmError DEVICE_NOT_SAVED */
	async save(): Promise<readonly OwnedState[]> {
		return (await this.#live?.backs.owned.save()) ?? [];
	}

	/** Gives them saved state. @throws VmmError DEVICE_STATE_REFUSED */
	async restore(states: readonly OwnedState[]): Promise<void> {
		await this.#live?.backs.owned.restore(states);
	}

	/** Asks one of them for its own report. @throws VmmError DEVICE_NOT_INSPECTED */
	async inspect(name: string): Promise<object> {
		return (await this.#live?.backs.owned.inspect(name)) ?? {};
	}

	/** Offers console input to the device called `name`; returns how many bytes it took. */
	feed(name: string, bytes: Uint8Array): number {
		return this.#live?.backs.back(name)?.feed?.(bytes) ?? bytes.length;
	}

	/** Asks the device called `name` for something: on each worker, the first one at last. */
	control(name: string, command: DeviceCommand): void {
		this.#live?.backs.back(name)?.control(command);
		if (this.#worker !== 0) return;
		this.#live?.machine.control(name, command);
		this.#live?.backs.owned.control(name, command);
	}

	/** Releases the backs, also those that are still being made. @throws VmmError DEVICE_STOP_TIMEOUT with what is not released */
	async dispose(): Promise<void> {
		await this.#creating;
		const live = this.#live;
		this.#live = undefined;
		this.#part?.close();
		this.#failed(undefined);
		try {
			await live?.backs.dispose();
		} finally {
			this.#program?.close();
		}
	}
}

const internalError = (cause: unknown): ErrorData => ({
	code: 'INTERNAL_ERROR',
	message: `The machine's devices could not be served: ${cause instanceof Error ? cause.message : String(cause)}`,
	context: {stack: (cause as Error | undefined)?.stack},
});
