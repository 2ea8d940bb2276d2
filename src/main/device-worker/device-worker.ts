import type {DeviceCommand} from '#devices/device';
import {type AttachedMachine, DeviceBacks, type MachineLayout, type OwnedState} from '#devices/machine';
import {loadDeviceModels} from '#devices/registry';
import type {ErrorData} from '#support/errors';
import {Waker} from '#support/mailbox';
import {EpollReactor, type Reactor, type ReactorOptions, ReactorState} from '#support/reactor';
import {attachMachine, type MachineHandle} from '#vcpu-worker/machine';

/** What a device worker starts with. */
export interface DeviceWorkerData extends MachineHandle {
	/** Of {@link ReactorState}: what the thread is doing, for whoever looks. */
	readonly reactor: SharedArrayBuffer;
	/** How long to look for work before sleeping, in nanoseconds. */
	readonly pollNs: number;
}

/** A reactor that is its thread's main loop. */
export interface RunningReactor extends Reactor {
	/** Resolves after {@link close}. */
	run(): Promise<void>;
	close(): void;
}

/** What a device worker has of its thread. */
export interface DeviceWorkerHost {
	/** Makes the reactor; without this, one over epoll. */
	readonly openReactor?: (options: ReactorOptions) => RunningReactor;
	/** Ends the thread, where this has one of its own. */
	readonly leave: () => void;
}

interface LiveDevices {
	readonly reactor: RunningReactor;
	readonly machine: AttachedMachine;
	readonly backs: DeviceBacks;
}

/** The device worker's answers to its owner. */
export class DeviceWorker {
	#live: LiveDevices | undefined;
	/** Resolves when {@link create} has made the backs, or could not. */
	#creating: Promise<unknown> = Promise.resolve();
	readonly #failed = Promise.withResolvers<ErrorData>();
	readonly #openReactor: (options: ReactorOptions) => RunningReactor;
	readonly #leave: () => void;

	constructor({openReactor = (options) => new EpollReactor(options), leave}: DeviceWorkerHost) {
		this.#openReactor = openReactor;
		this.#leave = leave;
	}

	/** Makes the backs and gives the thread to its reactor. Call first. @throws VmmError when a host resource cannot be had */
	create(data: DeviceWorkerData): Promise<void> {
		const created = this.#create(data);
		this.#creating = created.catch(() => {});
		return created;
	}

	async #create(data: DeviceWorkerData): Promise<void> {
		const {layout, pollNs} = data;
		const bell = new Waker(layout.waker);
		const reactor = this.#openReactor({
			pollNs,
			state: ReactorState.on(data.reactor),
			wakeFd: layout.waker.wakeFd,
			polled: {poll: () => this.#live?.backs.poll() ?? false, sleeping: (asleep) => bell.sleeping(asleep)},
		});
		const {machine} = await attachMachine(data, {alertsBootCpu: true});
		try {
			const backs = new DeviceBacks(machine, reactor, (error) => this.#failed.resolve(error.toData()));
			this.#live = {reactor, machine, backs};
		} catch (error) {
			// It closes its descriptors when it runs to its end.
			reactor.close();
			await reactor.run();
			throw error;
		}
		// After the answer to this call has been sent.
		setImmediate(() => void reactor.run().then(this.#leave));
	}

	/** Resolves when a device's code has failed: its thread goes on, and the machine is to end. */
	failure(): Promise<ErrorData> {
		return this.#failed.promise;
	}

	/** Follows the machine to devices that have come or gone. While nothing is in flight. */
	async change(layout: MachineLayout): Promise<void> {
		if (this.#live === undefined) return;
		const {findModel} = await loadDeviceModels(layout.modules);
		this.#live.machine.change(layout, findModel);
		this.#live.backs.change();
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

	/** What one of them says of itself. @throws VmmError DEVICE_NOT_INSPECTED */
	async inspect(name: string): Promise<object> {
		return (await this.#live?.backs.owned.inspect(name)) ?? {};
	}

	/** Offers console input to the device called `name`; returns how many bytes it took. */
	feed(name: string, bytes: Uint8Array): number {
		return this.#live?.backs.back(name)?.feed?.(bytes) ?? bytes.length;
	}

	/** Asks the device called `name` for something. */
	control(name: string, command: DeviceCommand): void {
		this.#live?.machine.control(name, command);
		this.#live?.backs.owned.control(name, command);
	}

	/** Releases the backs, also those that are still being made, and leaves the thread. Not answered. */
	async dispose(): Promise<void> {
		await this.#creating;
		this.#live?.backs.dispose();
		this.#live?.reactor.close();
		if (this.#live === undefined) this.#leave();
	}
}
