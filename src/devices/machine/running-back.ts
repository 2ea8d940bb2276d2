import type {DeviceWorkerPlace} from '#devices/device';
import {discardPages} from '#support/ffi';
import type {Reactor, Timer} from '#support/reactor';
import type {AttachedDevice} from './attached-device.ts';
import type {AttachedMachine} from './attached-machine.ts';
import {type LateDevice, stopTimeout} from './device-failure.ts';
import {leaveForGood, setBackPhase, setLate} from './device-header.ts';
import {arrive, hasArrived, isRestAsked, missing} from './device-rest.ts';
import type {GuardedBack} from './guarded-back.ts';
import {type PlacedCalls, queueSlot, restSlot, workerOf} from './layout.ts';

/** Parts of a {@link RunningBack}. */
export interface RunningParts {
	readonly machine: AttachedMachine;
	readonly device: AttachedDevice;
	readonly calls: PlacedCalls;
	readonly back: GuardedBack;
	/** Place of this worker among the device's. */
	readonly worker: DeviceWorkerPlace;
	readonly reactor: Reactor;
	/** Time that its stop may take, and that a rest may wait for the other workers. */
	readonly limitNs: number;
}

/**
 * A device's back on one of the device's workers. It starts and stops with its machine, and comes to rest with those of the other workers
 * when the guest asks for that.
 */
export class RunningBack {
	readonly device: AttachedDevice;
	readonly back: GuardedBack;
	readonly #parts: RunningParts;
	/** Of the device's configuration that the back has, or is to have. */
	#revision: number | undefined;
	/** A stop that goes on though its time is over. */
	#late: Promise<void> | undefined;
	/** Its own part of a rest, under way. */
	#resting: Promise<readonly LateDevice[]> | undefined;
	/** Ends the wait for the other workers, at whose rest it has arrived. */
	#waiting: Timer | undefined;
	/** From {@link dispose} on another device may be in its place. */
	#isGone = false;
	/** From {@link stop} on nothing is started again but by {@link start}. */
	#isStopping = true;

	constructor(parts: RunningParts) {
		this.#parts = parts;
		this.device = parts.device;
		this.back = parts.back;
		this.#revision = parts.device.placed.revision;
	}

	/** The device has another configuration. */
	get isOutdated(): boolean {
		return this.#revision !== this.device.placed.revision;
	}

	/** Has the back follow that. While it is stopped. @throws what the back does, which is as it was */
	async reconfigure(): Promise<void> {
		const {revision, config} = this.device.placed;
		this.#revision = revision;
		await this.back.reconfigure(config);
	}

	/** A queue may have work of before: from a snapshot, or from a time when nobody listened. */
	start(): void {
		this.#isStopping = false;
		this.#stopWaiting();
		const {device, back} = this;
		const {machine, calls, worker} = this.#parts;
		if (device.faults.hasFailed) {
			back.dispose();
			return;
		}
		setBackPhase(device.header, worker, 'running');
		back.start();
		const ready = machine.calls.readyOf(worker.index);
		if (isRestAsked(device.header)) ready.signal(restSlot(calls));
		for (let queue = 0; queue < calls.queues; queue++)
			if (workerOf(calls, queue) === worker.index) ready.signal(queueSlot(calls, queue));
	}

	/** Resolves when nothing is in flight and, where this is the last worker at a rest, that is over. */
	async stop(): Promise<readonly LateDevice[]> {
		this.#isStopping = true;
		if (this.#waiting === undefined) return this.#resting ?? this.#stop();
		this.#stopWaiting();
		return [];
	}

	/** Follows a rest that was asked for, or is over. False where there was nothing to do. */
	follow(): boolean {
		const {header, faults} = this.device;
		if (this.#isStopping || this.#resting !== undefined) return false;
		if (this.#waiting !== undefined) {
			if (hasArrived(header, this.#parts.worker.index) && !faults.hasFailed) return false;
			this.start();
			return true;
		}
		if (!isRestAsked(header)) return false;
		this.#resting = this.#rest();
		return true;
	}

	/** Serves a queue that has work. What comes while it does not run is told when it is started again. */
	serve(queue: number): boolean {
		if (this.#isStopping || this.#resting !== undefined || this.#waiting !== undefined) return false;
		const {machine, calls, worker} = this.#parts;
		if (this.back.queueReady(queue)) machine.calls.readyOf(worker.index).signal(queueSlot(calls, queue));
		return true;
	}

	/** How people are told of it while it does not get on. */
	asLate(): LateDevice {
		return {name: this.device.placed.name, inFlight: this.back.inFlight()};
	}

	dispose(): void {
		this.#isGone = true;
		this.#stopWaiting();
		this.back.dispose();
		const {released} = this.back;
		if (released === undefined) this.#leave();
		else void released.then(() => this.#leave());
	}

	/** It has nothing of the device's any more. */
	#leave(): void {
		const {header, placed} = this.device;
		const isLast = leaveForGood(header, this.#parts.worker);
		if (!isLast || header.late !== 0) return;
		// The threads go on, and collect garbage late where they are idle. What is in flight may still be written from there.
		if (placed.hostMemory !== undefined) discardPages(placed.hostMemory);
		for (const {pages} of placed.pages) discardPages(pages.memory.buffer);
	}

	/** The device goes on when none of its workers has anything of the time before in flight. */
	async #rest(): Promise<readonly LateDevice[]> {
		const late = await this.#stop();
		this.#resting = undefined;
		if (this.#isStopping) return late;
		if (hasArrived(this.device.header, this.#parts.worker.index)) this.#wait();
		else this.start();
		return late;
	}

	async #stop(): Promise<readonly LateDevice[]> {
		const {device, back} = this;
		const {machine, worker} = this.#parts;
		setBackPhase(device.header, worker, 'stopping');
		const late = (await this.#isInTime()) ? [] : [this.asLate()];
		if (this.#isGone) return late;
		// A guest may go on with the others, but what is in flight may still change this one.
		if (late.length > 0) back.fail('stop', stopTimeout(late));
		setBackPhase(device.header, worker, 'stopped');
		if (!isRestAsked(device.header) || !arrive(device.header, worker)) return late;
		const hadFailed = device.faults.hasFailed;
		try {
			machine.endRest(device);
		} catch (cause) {
			back.fail('reset', cause, !hadFailed);
		}
		back.reset();
		return late;
	}

	/** A worker that never arrives would keep the device from its guest for ever. */
	#wait(): void {
		const {device, back} = this;
		const {reactor, limitNs, worker} = this.#parts;
		this.#waiting = reactor.after(limitNs, () => {
			const workers = missing(device.header, worker.count).join(', ');
			back.fail('reset', stopTimeout([{name: device.placed.name, inFlight: `workers that do not answer: ${workers}`}]));
		});
	}

	#stopWaiting(): void {
		this.#waiting?.cancel();
		this.#waiting = undefined;
	}

	/** Waits for the back's rest, but not for longer than the limit. */
	async #isInTime(): Promise<boolean> {
		const {device, back} = this;
		const {reactor, limitNs, worker} = this.#parts;
		if (this.#late !== undefined) return false;
		const {promise: isLate, resolve} = Promise.withResolvers<boolean>();
		const timer = reactor.after(limitNs, () => resolve(false));
		const stopped = back.stop(isRestAsked(device.header)).then(() => {
			this.#late = undefined;
			setLate(device.header, worker, false);
			return true;
		});
		const inTime = await Promise.race([stopped, isLate]);
		timer.cancel();
		setLate(device.header, worker, !inTime);
		if (!inTime) this.#late = stopped.then(() => {});
		return inTime;
	}
}
