import type {DeviceCommand} from '#devices/device';
import type {MachineLayout, OwnedState} from '#devices/machine';
import type {DeviceWorkerData} from '#main/device-worker';
import type {DevicePlace} from '#main/workers';
import type {ErrorData} from '#support/errors';
import {type HangWatch, ReactorState, type ReactorStateView, watchForHang} from '#support/reactor';
import {vmError} from './errors.ts';
import {failureData} from './failure-data.ts';

/** The device worker as the machine's owner has it: it may be other machines' as well. */
export class DeviceThread {
	readonly #place: DevicePlace;
	readonly #created: Promise<void>;
	readonly #watches = new Set<HangWatch>();
	/** Resolves when the thread has died or a device's code has failed, with what it was: the machine is to end. */
	readonly failure: Promise<ErrorData>;
	/** What the thread is doing, live also while it hangs. */
	readonly reactor: ReactorStateView;

	/** @param place - where the devices are now made; {@link ready} tells when they are */
	constructor(place: DevicePlace, data: Omit<DeviceWorkerData, 'reactor'>) {
		const {reactor} = place;
		this.reactor = ReactorState.on(reactor);
		this.#place = place;
		this.#created = this.#call((api, machine) => api.create(machine, {...data, reactor}));
		this.#created.catch(() => {});
		this.failure = this.#call((api, machine) => api.failure(machine)).then(
			(error) => error ?? new Promise<never>(() => {}),
			(cause: unknown) => failureData(cause, "The devices' thread failed"),
		);
	}

	/** Resolves when every back exists; rejects with what prevented it. */
	ready(): Promise<void> {
		return this.#created;
	}

	/** Starts every back; rejects with what prevented one. */
	async start(): Promise<void> {
		await this.#created;
		await this.#call((api, machine) => api.start(machine));
	}

	/** Follows the machine to devices that have come or gone. While nothing is in flight. */
	async change(layout: MachineLayout): Promise<void> {
		await this.#created;
		await this.#call((api, machine) => api.change(machine, layout));
	}

	/** Resolves when no back has anything in flight. */
	stop(): Promise<void> {
		return this.#call((api, machine) => api.stop(machine));
	}

	/** Gives the devices that the thread owns their state at power-on. */
	async reset(): Promise<void> {
		await this.#created;
		await this.#call((api, machine) => api.reset(machine));
	}

	/** The state of the devices that the thread owns. While nothing is in flight. @throws VmmError DEVICE_NOT_SAVED */
	async save(): Promise<readonly OwnedState[]> {
		await this.#created;
		return this.#call((api, machine) => api.save(machine));
	}

	/** Gives the devices that the thread owns, just made, saved state. @throws VmmError DEVICE_STATE_REFUSED */
	async restore(states: readonly OwnedState[]): Promise<void> {
		await this.#created;
		await this.#call((api, machine) => api.restore(machine, states));
	}

	/** What a device that the thread owns says of itself. @throws VmmError DEVICE_NOT_INSPECTED */
	async inspect(name: string): Promise<object> {
		await this.#created;
		return this.#call((api, machine) => api.inspect(machine, name));
	}

	/** Asks the device called `name` for something. */
	async control(name: string, command: DeviceCommand): Promise<void> {
		await this.#created;
		await this.#call((api, machine) => api.control(machine, name, command));
	}

	/** Offers input to a device; returns how many bytes it took. */
	feed(device: string, bytes: Uint8Array): Promise<number> {
		return this.#call((api, machine) => api.feed(machine, device, bytes));
	}

	/**
	 * The outcome of an operation that needs the thread. The operation is not given up when the thread keeps it: it goes on when
	 * that comes back.
	 * @throws VmmError VM_DEVICES_HUNG when the thread does not come back meanwhile; what the operation throws
	 */
	async supervise<T>(operation: Promise<T>): Promise<T> {
		const {promise: kept, reject} = Promise.withResolvers<never>();
		const watch = watchForHang(this.reactor, (tid, seconds) => reject(vmError('VM_DEVICES_HUNG', {tid, seconds})));
		this.#watches.add(watch);
		try {
			return await Promise.race([operation, kept]);
		} finally {
			watch.close();
			this.#watches.delete(watch);
		}
	}

	/** Ends every {@link supervise}: the machine is over, and a thread that still keeps an operation would be watched for ever. */
	abandon(): void {
		for (const watch of this.#watches) watch.close();
	}

	/** The part of its time, 0–1, that the thread's event loop was not idle. */
	eventLoopUse(): number {
		return this.#place.eventLoopUse();
	}

	/** Releases the backs, and ends the thread where it is nobody else's. */
	async dispose(): Promise<void> {
		await this.#place.leave();
	}

	#call<R>(action: (api: DevicePlace['api'], machine: number) => Promise<R>): Promise<R> {
		const {api, machine, failed} = this.#place;
		return Promise.race([action(api, machine), failed]);
	}
}
