import type {Reactor} from '#support/reactor';
import type {AttachedDevice} from './attached-device.ts';
import type {AttachedMachine} from './attached-machine.ts';
import {type DeviceFailed, type LateDevice, stopTimeout} from './device-failure.ts';
import {backPhases} from './device-header.ts';
import {isResetting, takeReset} from './device-reset.ts';
import {GuardedBack} from './guarded-back.ts';
import {queueSlot, resetSlot} from './layout.ts';
import {OwnedBack} from './owned-back.ts';
import {OwnedDevices} from './owned-devices.ts';
import {QueueDescriptors} from './queue-descriptors.ts';

/** Less than what a machine's whole rest may take. */
const defaultStopLimitNs = 25e9;

/** How many backs and queues have their turn before other machines of the thread have theirs. */
const slotsPerTurn = 64;

interface Running {
	readonly device: AttachedDevice;
	readonly back: GuardedBack;
	/** A stop that goes on though its time is over. */
	late?: Promise<void> | undefined;
	/** A reset that the guest asked for and that is under way. */
	reset?: Promise<readonly LateDevice[]> | undefined;
}

/** The device worker's part of a machine: the backs of all devices, and the devices that it owns. */
export class DeviceBacks {
	readonly #machine: AttachedMachine;
	readonly #reactor: Reactor;
	readonly #failed: DeviceFailed;
	readonly #stopLimitNs: number;
	readonly #descriptors: QueueDescriptors;
	#running: readonly Running[] = [];
	/** What each slot of the ready set leads to. */
	#slots: readonly ((() => boolean) | undefined)[] = [];
	/** Devices that live here alone. */
	readonly owned: OwnedDevices;
	/** From {@link start} until {@link stop} is done. */
	#isStarted = false;
	/** From {@link stop} on nothing is started again. */
	#isStopping = false;

	/**
	 * @param failed - told of each device whose code throws where it must not, and of those that do not come to rest, where that is
	 * the machine's failure; the others go on
	 * @param stopLimitNs - how long a back's stop may take
	 */
	constructor(machine: AttachedMachine, reactor: Reactor, failed: DeviceFailed, stopLimitNs = defaultStopLimitNs) {
		this.#machine = machine;
		this.#reactor = reactor;
		this.#failed = (error) => {
			if (machine.layout.deviceFailure === 'machine') failed(error);
		};
		this.#stopLimitNs = stopLimitNs;
		this.#descriptors = new QueueDescriptors(machine, reactor);
		this.owned = new OwnedDevices(machine, reactor, stopLimitNs);
		this.#follow(this.#makeAll(machine.devices));
	}

	/** Follows the machine to devices that have come or gone. While nothing is in flight. */
	change(): void {
		const {devices} = this.#machine;
		for (const {device, back} of this.#running) if (!devices.includes(device)) back.dispose();
		this.#follow(
			devices.flatMap((device) => this.#running.find((running) => running.device === device) ?? this.#make(device)),
		);
	}

	/**
	 * Serves accesses to owned devices and tells backs what was called for; true when there was anything. What a guest that runs already
	 * wants of a back waits until that has started.
	 */
	poll(): boolean {
		const found = this.owned.poll();
		return (this.#isStarted && this.#machine.calls.ready.take(this.#serve, slotsPerTurn)) || found;
	}

	/** The back of a device, by the device's name. */
	back(name: string): GuardedBack | undefined {
		return this.#running.find(({device}) => device.placed.name === name)?.back;
	}

	start(): void {
		this.#isStarted = true;
		this.#isStopping = false;
		for (const running of this.#running) this.#start(running);
	}

	/**
	 * Resolves when no back has anything in flight, and all is done that the guest has asked for.
	 * @throws VmmError DEVICE_STOP_TIMEOUT with every device that does not come to rest, where that is the machine's failure
	 */
	async stop(): Promise<void> {
		this.#isStopping = true;
		const late = (await Promise.all(this.#running.map((running) => running.reset ?? this.#stop(running)))).flat();
		this.#isStarted = false;
		if (late.length > 0 && this.#machine.layout.deviceFailure === 'machine') throw stopTimeout(late);
	}

	/** The device answers again when its back has nothing of the time before in flight. */
	async #reset(running: Running): Promise<readonly LateDevice[]> {
		const late = await this.#stop(running);
		running.reset = undefined;
		if (!this.#isStopping) this.#start(running);
		return late;
	}

	async #stop(running: Running): Promise<readonly LateDevice[]> {
		const {device, back} = running;
		device.header.back = backPhases.indexOf('stopping');
		const late = (await this.#isInTime(running)) ? [] : [{name: device.placed.name, inFlight: back.inFlight()}];
		// A guest may go on with the others, but what is in flight may still change this one.
		if (late.length > 0) back.fail('stop', stopTimeout(late));
		device.header.back = backPhases.indexOf('stopped');
		if (!isResetting(device.header)) return late;
		try {
			device.target.locked(() => this.#machine.resetDevice(device));
		} catch (cause) {
			back.fail('reset', cause);
		}
		back.reset();
		return late;
	}

	/** Waits for a back's rest, but not for longer than the limit. */
	async #isInTime(running: Running): Promise<boolean> {
		const {header} = running.device;
		if (running.late !== undefined) return false;
		const {promise: isLate, resolve} = Promise.withResolvers<boolean>();
		const timer = this.#reactor.after(this.#stopLimitNs, () => resolve(false));
		const stopped = running.back.stop().then(() => {
			running.late = undefined;
			header.late = 0;
			return true;
		});
		const inTime = await Promise.race([stopped, isLate]);
		timer.cancel();
		header.late = inTime ? 0 : 1;
		if (!inTime) running.late = stopped.then(() => {});
		return inTime;
	}

	dispose(): void {
		for (const {back} of this.#running) back.dispose();
		this.#descriptors.follow([]);
	}

	readonly #serve = (slot: number): boolean => this.#slots[slot]?.() ?? false;

	#follow(running: readonly Running[]): void {
		this.#running = running;
		const slots: (() => boolean)[] = [];
		for (const each of running) {
			const {placed} = each.device;
			if (placed.calls === undefined) continue;
			slots[placed.calls.slot] = () => {
				each.back.notified();
				return true;
			};
			slots[resetSlot(placed.calls)] = () => this.#beginReset(each);
			for (let queue = 0; queue < placed.calls.queues; queue++)
				slots[queueSlot(placed.calls, queue)] = () => this.#serveQueue(each, queue);
		}
		this.#slots = slots;
		this.owned.follow((device) => running.find((each) => each.device === device)?.back);
		this.#descriptors.follow(running.map(({device}) => device));
	}

	/** A queue may have work of before: from a snapshot, or from a time when nobody listened. */
	#start({device, back}: Running): void {
		if (device.faults.hasFailed) {
			back.dispose();
			return;
		}
		device.header.back = backPhases.indexOf('running');
		back.start();
		const {calls} = device.placed;
		if (calls === undefined) return;
		const {ready} = this.#machine.calls;
		if (isResetting(device.header)) ready.signal(resetSlot(calls));
		for (let queue = 0; queue < calls.queues; queue++) ready.signal(queueSlot(calls, queue));
	}

	#serveQueue({device, back, reset}: Running, queue: number): boolean {
		// What comes now is told when the back is started again.
		if (this.#isStopping || reset !== undefined || device.placed.calls === undefined) return false;
		if (back.queueReady(queue)) this.#machine.calls.ready.signal(queueSlot(device.placed.calls, queue));
		return true;
	}

	#beginReset(running: Running): boolean {
		if (this.#isStopping || !takeReset(running.device.header)) return false;
		running.reset = this.#reset(running);
		return true;
	}

	/** One that cannot be made leaves none behind. */
	#makeAll(devices: readonly AttachedDevice[]): readonly Running[] {
		const made: Running[] = [];
		try {
			for (const device of devices) made.push(...this.#make(device));
			return made;
		} catch (error) {
			for (const {back} of made) back.dispose();
			throw error;
		}
	}

	#make(device: AttachedDevice): Running[] {
		const {model, placed, state, services, target} = device;
		const locked = <R>(action: () => R): R => target.locked(action);
		const make = (reactor: Reactor) => {
			const parts = {...services, reactor, locked};
			if (model.owned === undefined) return model.back?.(placed.config, state, parts);
			const owned = model.owned.make(placed.config, state, parts);
			return new OwnedBack(owned, Object.keys(placed.inputs), services.isAsserted);
		};
		const back = new GuardedBack(device.faults, make, this.#reactor, this.#failed);
		return back.exists ? [{device, back}] : [];
	}
}
