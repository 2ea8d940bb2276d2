import type {BackParts} from '#devices/device';
import type {ReadySet} from '#support/mailbox';
import type {Reactor} from '#support/reactor';
import type {ProgramCalls} from '#support/rpc';
import type {AttachedDevice} from './attached-device.ts';
import type {AttachedMachine} from './attached-machine.ts';
import {type DeviceFailed, openTimeout, stopTimeout} from './device-failure.ts';
import {GuardedBack} from './guarded-back.ts';
import {queueSlot, restSlot, workerOf} from './layout.ts';
import {OwnedBack} from './owned-back.ts';
import {OwnedDevices} from './owned-devices.ts';
import {QueueDescriptors} from './queue-descriptors.ts';
import {RunningBack} from './running-back.ts';

/** Less than what a machine's whole rest may take. */
const defaultStopLimitNs = 25e9;

/** Number of backs and queues that have their turn before other machines of the thread have theirs. */
const slotsPerTurn = 64;

/** Less than what a step of a machine's end may take. */
const releaseLimitNs = 5e9;

/** Choices of a worker that runs backs. */
export interface BacksOptions {
	/** Number of the worker among the machine's; the first unless given. */
	readonly worker?: number;
	/** How long a back's opening and its stop may take, and a rest may wait for a device's other workers. */
	readonly stopLimitNs?: number;
	/** Told of what fails that a device has left under way when it went. */
	readonly late?: DeviceFailed;
	/** The way to the machine's program. */
	readonly program?: ProgramCalls | undefined;
}

/** A worker's part of a machine: the backs of all devices and the devices that live there alone, or the queues that a further worker has. */
export class DeviceBacks {
	readonly #machine: AttachedMachine;
	readonly #reactor: Reactor;
	readonly #failed: DeviceFailed;
	readonly #late: DeviceFailed;
	readonly #program: ProgramCalls | undefined;
	readonly #together = new Map<string, unknown>();
	readonly #worker: number;
	readonly #ready: ReadySet;
	readonly #stopLimitNs: number;
	readonly #descriptors: QueueDescriptors;
	#running: readonly RunningBack[] = [];
	/** Those that have gone and still let go of what is the host's. */
	readonly #leaving = new Set<RunningBack>();
	/** Work that each slot of the ready set leads to. */
	#slots: readonly ((() => boolean) | undefined)[] = [];
	/** Devices that live here alone; only the first worker has any. */
	readonly owned: OwnedDevices;
	/** From {@link start} until {@link stop} is done. */
	#isStarted = false;
	/** Resolved by {@link dispose}. */
	readonly #disposed = Promise.withResolvers<void>();

	/**
	 * @param failed - told of each device whose code throws where it must not, and of those that do not come to rest, where that is
	 * the machine's failure; the others go on
	 */
	constructor(
		machine: AttachedMachine,
		reactor: Reactor,
		failed: DeviceFailed,
		{worker = 0, stopLimitNs = defaultStopLimitNs, late = () => {}, program}: BacksOptions = {},
	) {
		this.#machine = machine;
		this.#reactor = reactor;
		this.#failed = (error) => {
			if (machine.layout.deviceFailure === 'machine') failed(error);
		};
		this.#late = late;
		this.#program = program;
		this.#worker = worker;
		this.#ready = machine.calls.readyOf(worker);
		this.#stopLimitNs = stopLimitNs;
		this.#descriptors = new QueueDescriptors(machine, reactor, worker);
		this.owned = new OwnedDevices(machine, reactor, stopLimitNs, worker === 0 ? machine.layout.mailbox : undefined);
		this.#follow(this.#makeAll(machine.devices));
	}

	/**
	 * Opens what backs need of the host; resolves when all of it is there, or they are disposed of. Nothing else is called before.
	 * @throws what a back rejects with; VmmError DEVICE_OPEN_TIMEOUT with every device that does not get it
	 */
	async open(): Promise<void> {
		await this.#openAll(
			this.#running.filter(({back}) => back.opens),
			({back}) => back.open(),
		);
	}

	async #openAll(opening: readonly RunningBack[], open: (running: RunningBack) => Promise<void>): Promise<void> {
		const pending = new Set(opening);
		const all = opening.map(async (running) => {
			await open(running);
			pending.delete(running);
		});
		if (pending.size === 0) return;
		const opened = Promise.race([Promise.all(all), this.#disposed.promise]);
		await this.#within(this.#stopLimitNs, opened, () => openTimeout([...pending].map((running) => running.asLate())));
	}

	/**
	 * Follows the machine to devices that have come or gone, or have another configuration. While nothing is in flight; those that have come are to be
	 * {@link open}ed. Resolves when those that have gone have let go of what is the host's, such as a file's lock; of one that does not
	 * in time `late` is told.
	 * @throws what a back of another configuration rejects with; VmmError DEVICE_OPEN_TIMEOUT
	 */
	async change(): Promise<void> {
		const {devices} = this.#machine;
		for (const running of this.#running) if (!devices.includes(running.device)) this.#dispose(running);
		this.#follow(
			devices.flatMap((device) => this.#running.find((running) => running.device === device) ?? this.#make(device)),
		);
		await this.#released().catch(this.#late);
		await this.#openAll(
			this.#running.filter(({isOutdated}) => isOutdated),
			(running) => running.reconfigure(),
		);
	}

	/**
	 * Serves accesses to owned devices and tells backs what was called for; true when there was anything. What a guest that runs already
	 * wants of a back waits until that has started.
	 * @param isOver - asked after each: true leaves the others to the next call. In each one owned devices and backs get on
	 */
	poll(isOver = (): boolean => false): boolean {
		const found = this.owned.poll(isOver);
		return (this.#isStarted && this.#ready.take(this.#serve, slotsPerTurn, isOver)) || found;
	}

	/** The back of a device, by the device's name. */
	back(name: string): GuardedBack | undefined {
		return this.#running.find(({device}) => device.placed.name === name)?.back;
	}

	start(): void {
		this.#isStarted = true;
		for (const running of this.#running) running.start();
	}

	/**
	 * Resolves when no back has anything in flight, and all is done that the guest has asked for.
	 * @throws VmmError DEVICE_STOP_TIMEOUT with every device that does not come to rest, where that is the machine's failure
	 */
	async stop(): Promise<void> {
		const late = (await Promise.all(this.#running.map((running) => running.stop()))).flat();
		this.#isStarted = false;
		if (late.length > 0 && this.#machine.layout.deviceFailure === 'machine') throw stopTimeout(late);
	}

	/**
	 * Lets go of all that backs have, at once but for what takes its time, for which it waits.
	 * @throws VmmError DEVICE_STOP_TIMEOUT with every device of which something is not released
	 */
	async dispose(): Promise<void> {
		for (const running of this.#running) this.#dispose(running);
		this.#descriptors.follow([]);
		this.#disposed.resolve();
		await this.#released();
	}

	#dispose(running: RunningBack): void {
		running.dispose();
		const {released} = running.back;
		if (released === undefined) return;
		this.#leaving.add(running);
		void released.then(() => this.#leaving.delete(running));
	}

	/** Waits for all that has gone. @throws VmmError DEVICE_STOP_TIMEOUT */
	async #released(): Promise<void> {
		const closing = this.#descriptors.closing;
		if (this.#leaving.size === 0 && closing === undefined) return;
		const all = [...this.#leaving].map(({back}) => back.released);
		await this.#within(releaseLimitNs, Promise.all([...all, closing]), () =>
			stopTimeout([...[...this.#leaving].map((running) => running.asLate()), ...this.#descriptors.late()]),
		);
	}

	/** Waits for something, but not for longer than a limit. @param late - what is thrown then */
	async #within(limitNs: number, all: Promise<unknown>, late: () => Error): Promise<void> {
		const {promise, reject} = Promise.withResolvers<never>();
		const timer = this.#reactor.after(limitNs, () => reject(late()));
		try {
			await Promise.race([all, promise]);
		} finally {
			timer.cancel();
		}
	}

	readonly #serve = (slot: number): boolean => this.#slots[slot]?.() ?? false;

	#follow(running: readonly RunningBack[]): void {
		this.#running = running;
		const slots: (() => boolean)[] = [];
		for (const each of running) {
			const {placed} = each.device;
			if (placed.calls === undefined) continue;
			slots[placed.calls.slot] = () => {
				each.back.notified();
				return true;
			};
			slots[restSlot(placed.calls)] = () => each.follow();
			for (let queue = 0; queue < placed.calls.queues; queue++)
				if (workerOf(placed.calls, queue) === this.#worker)
					slots[queueSlot(placed.calls, queue)] = () => each.serve(queue);
		}
		this.#slots = slots;
		this.owned.follow((device) => running.find((each) => each.device === device)?.back);
		this.#descriptors.follow(running.map(({device}) => device));
	}

	/** One that cannot be made leaves none behind. */
	#makeAll(devices: readonly AttachedDevice[]): readonly RunningBack[] {
		const made: RunningBack[] = [];
		try {
			for (const device of devices) made.push(...this.#make(device));
			return made;
		} catch (error) {
			for (const each of made) each.dispose();
			throw error;
		}
	}

	#make(device: AttachedDevice): RunningBack[] {
		const {model, placed, state, services, target} = device;
		const {calls, hostMemory, commonMemory} = placed;
		if (calls === undefined || this.#worker >= calls.workers) return [];
		const worker = {index: this.#worker, count: calls.workers};
		const locked = <R>(action: () => R): R => target.locked(action);
		const serve = (queue: number): void => {
			const isOwn = Number.isInteger(queue) && queue >= 0 && queue < calls.queues;
			if (!isOwn || workerOf(calls, queue) !== worker.index) throw new RangeError(`it has no queue ${queue} to serve`);
			this.#ready.signal(queueSlot(calls, queue));
		};
		const make = (own: Pick<BackParts, 'reactor' | 'track' | 'drained' | 'program'>) => {
			const noticed = () => this.#machine.events.noticed();
			const together = this.#together;
			const parts = {...services, ...own, together, worker, hostMemory, commonMemory, locked, serve, noticed};
			if (model.owned === undefined) return model.back?.(placed.config, state, parts);
			const owned = model.owned.make(placed.config, state, parts);
			return new OwnedBack(owned, Object.keys(placed.inputs), services.isAsserted);
		};
		const back = new GuardedBack(device.faults, make, {
			reactor: this.#reactor,
			failed: this.#failed,
			late: this.#late,
			program: this.#program,
		});
		if (!back.exists) return [];
		const [machine, limitNs] = [this.#machine, this.#stopLimitNs];
		return [new RunningBack({machine, device, calls, back, worker, reactor: this.#reactor, limitNs})];
	}
}
