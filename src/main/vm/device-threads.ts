import type {DeviceCommand} from '#devices/device';
import type {MachineLayout, OwnedState} from '#devices/machine';
import type {DeviceWorkerData} from '#main/device-worker';
import type {DevicePlace} from '#main/workers';
import type {ErrorData} from '#support/errors';
import {type HangWatch, ReactorState, type ReactorStateView, watchForHang} from '#support/reactor';
import {type ProgramObjects, withPort} from '#support/rpc';
import {vmError} from './errors.ts';
import {failureData} from './failure-data.ts';

/** What each thread has for itself. */
type OwnData = 'reactor' | 'worker' | 'program';

/** A machine's device workers as its owner has them: each may be other machines' as well. */
export class DeviceThreads {
	readonly #places: readonly DevicePlace[];
	readonly #data: Omit<DeviceWorkerData, OwnData>;
	readonly #program: ProgramObjects;
	readonly #created = Promise.withResolvers<void>();
	#isOver = false;
	readonly #watches = new Set<HangWatch>();
	/** Resolves when a thread has died or a device's code has failed, with what it was: the machine is to end. */
	readonly failure: Promise<ErrorData>;
	readonly #failed: (error: ErrorData) => void;
	/** The threads, the one with all devices first: what each is doing, live also while it hangs. */
	readonly threads: readonly (Pick<DevicePlace, 'eventLoopUse'> & {readonly reactor: ReactorStateView})[];

	/**
	 * @param places - where {@link begin} has the devices made, one for each of the machine's workers
	 * @param program - has what devices call of the machine's program; it ends with them
	 */
	constructor(places: readonly DevicePlace[], data: Omit<DeviceWorkerData, OwnData>, program: ProgramObjects) {
		this.#program = program;
		this.#places = places;
		this.threads = places.map(({reactor, eventLoopUse}) => ({reactor: ReactorState.on(reactor), eventLoopUse}));
		this.#data = data;
		this.#created.promise.catch(() => {});
		const {promise, resolve} = Promise.withResolvers<ErrorData>();
		this.failure = promise;
		this.#failed = resolve;
	}

	/** Has the devices made, unless they are to go already. Once; {@link ready} tells when they are. */
	begin(): void {
		if (this.#isOver) return;
		const create: PlacedCall = (api, machine, {reactor}, worker) => {
			const program = this.#program.connect();
			return api.create(machine, withPort({...this.#data, reactor, worker, program}, program));
		};
		this.#all(create).then(this.#created.resolve, this.#created.reject);
		for (const place of this.#places) void this.#failureOf(place).then(this.#failed);
	}

	/** Resolves when every back has what it needs of the host; rejects with what prevented it. */
	ready(): Promise<void> {
		return this.#created.promise;
	}

	/** Starts every back; rejects with what prevented one. */
	async start(): Promise<void> {
		await this.ready();
		await this.#all((api, machine) => api.start(machine));
	}

	/** Follows the machine to devices that have come or gone. While nothing is in flight. */
	async change(layout: MachineLayout): Promise<void> {
		await this.ready();
		// All of them: where one refuses, the machine goes back to what it was.
		await settled(this.#places.map((place) => call(place, (api, machine) => api.change(machine, layout))));
	}

	/** Resolves when no back has anything in flight. */
	stop(): Promise<void> {
		return this.#all((api, machine) => api.stop(machine));
	}

	/** Gives the devices that the first thread owns their state at power-on. */
	async reset(): Promise<void> {
		await this.ready();
		await this.#first((api, machine) => api.reset(machine));
	}

	/** The state of the devices that the thread owns. While nothing is in flight. @throws VmmError DEVICE_NOT_SAVED */
	async save(): Promise<readonly OwnedState[]> {
		await this.ready();
		return this.#first((api, machine) => api.save(machine));
	}

	/** Gives the devices that the thread owns, just made, saved state. @throws VmmError DEVICE_STATE_REFUSED */
	async restore(states: readonly OwnedState[]): Promise<void> {
		await this.ready();
		await this.#first((api, machine) => api.restore(machine, states));
	}

	/** Asks a device that the thread owns for its own report. @throws VmmError DEVICE_NOT_INSPECTED */
	async inspect(name: string): Promise<object> {
		await this.ready();
		return this.#first((api, machine) => api.inspect(machine, name));
	}

	/** Asks the device called `name` for something. */
	async control(name: string, command: DeviceCommand): Promise<void> {
		await this.ready();
		const control: PlaceCall<void> = (api, machine) => api.control(machine, name, command);
		await Promise.all(this.#places.slice(1).map((place) => call(place, control)));
		await this.#first(control);
	}

	/** Offers input to a device; returns how many bytes it took. */
	feed(device: string, bytes: Uint8Array): Promise<number> {
		return this.#first((api, machine) => api.feed(machine, device, bytes));
	}

	/**
	 * The outcome of an operation that needs the threads. The operation is not given up when one of them keeps it: it goes on when
	 * that comes back.
	 * @throws VmmError VM_DEVICES_HUNG when one does not come back meanwhile; what the operation throws
	 */
	async supervise<T>(operation: Promise<T>): Promise<T> {
		const {promise: kept, reject} = Promise.withResolvers<never>();
		const hung = (tid: number, seconds: number) => reject(vmError('VM_DEVICES_HUNG', {tid, seconds}));
		const watches = this.threads.map(({reactor}) => watchForHang(reactor, hung));
		for (const watch of watches) this.#watches.add(watch);
		try {
			return await Promise.race([operation, kept]);
		} finally {
			for (const watch of watches) {
				watch.close();
				this.#watches.delete(watch);
			}
		}
	}

	/** Ends every {@link supervise}: the machine is over, and a thread that still keeps an operation would be watched for ever. */
	abandon(): void {
		for (const watch of this.#watches) watch.close();
	}

	/**
	 * Releases the backs, and ends the threads that are nobody else's.
	 * @throws VmmError DEVICE_STOP_TIMEOUT with what a thread does not release; the others have come to their end too
	 */
	async dispose(): Promise<void> {
		this.#isOver = true;
		try {
			await settled(this.#places.map((place) => place.leave()));
		} finally {
			this.#program.close();
		}
	}

	#failureOf(place: DevicePlace): Promise<ErrorData> {
		return call(place, (api, machine) => api.failure(machine)).then(
			(error) => error ?? new Promise<never>(() => {}),
			(cause: unknown) => failureData(cause, "The devices' thread failed"),
		);
	}

	#first<R>(action: PlaceCall<R>): Promise<R> {
		return call(this.#places[0] as DevicePlace, action);
	}

	async #all(action: PlacedCall): Promise<void> {
		await Promise.all(
			this.#places.map((place, worker) => call(place, (api, machine) => action(api, machine, place, worker))),
		);
	}
}

/** Waits for all, and rejects with the first of those that did. */
async function settled(all: readonly Promise<void>[]): Promise<void> {
	const failed = (await Promise.allSettled(all)).find((outcome) => outcome.status === 'rejected');
	if (failed !== undefined) throw failed.reason;
}

type PlacedCall = (api: DevicePlace['api'], machine: number, place: DevicePlace, worker: number) => Promise<void>;

type PlaceCall<R> = (api: DevicePlace['api'], machine: number) => Promise<R>;

const call = <R>({api, machine, failed}: DevicePlace, action: PlaceCall<R>): Promise<R> =>
	Promise.race([action(api, machine), failed]);
