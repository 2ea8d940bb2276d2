import {close, drainEventfd, eventfd} from '#support/ffi';
import type {Reactor, Watch} from '#support/reactor';
import type {AttachedDevice} from './attached-device.ts';
import type {AttachedMachine} from './attached-machine.ts';
import type {LateDevice} from './device-failure.ts';
import {queueSlot, workerOf} from './layout.ts';

interface Descriptor {
	readonly slot: number;
	readonly fd: number;
	readonly watch: Watch;
}

/** Time between two looks whether the back end has let go of descriptors, and how often it is looked: as long as for a lock. */
const [lookNs, looks] = [50e6, 600];

/** The descriptors by which a back end tells a worker that queues have work, without a vCPU's thread. */
export class QueueDescriptors {
	readonly #machine: AttachedMachine;
	readonly #reactor: Reactor;
	readonly #worker: number;
	readonly #open = new Map<AttachedDevice, readonly Descriptor[]>();
	/** Of devices that have left, until the back end has let go of their descriptors and these are closed. */
	readonly #closing = new Map<AttachedDevice, Promise<void>>();
	readonly #scratch = new Uint8Array(8);

	/** @param worker - the one that this thread is */
	constructor(machine: AttachedMachine, reactor: Reactor, worker: number) {
		this.#machine = machine;
		this.#reactor = reactor;
		this.#worker = worker;
	}

	/** Gives every queue that this worker has of these devices one, where the back end makes use of it, and closes those of all others. */
	follow(devices: readonly AttachedDevice[]): void {
		const {calls, decode} = this.#machine;
		if (!calls.doorbells.isUsed) return;
		const leaving = [...this.#open].filter(([device]) => !devices.includes(device));
		for (const [device, descriptors] of leaving) {
			this.#open.delete(device);
			for (const {slot} of descriptors) calls.doorbells.setFd(slot, undefined);
		}
		for (const device of devices) if (!this.#open.has(device)) this.#open.set(device, this.#make(device));
		const change = decode.changed();
		for (const [device, descriptors] of leaving)
			if (descriptors.length > 0) this.#closeWhenFollowed(change, device, descriptors);
	}

	/** Resolves when those of all devices that have left are closed; undefined where they are. */
	get closing(): Promise<unknown> | undefined {
		return this.#closing.size === 0 ? undefined : Promise.all(this.#closing.values());
	}

	/** Devices that have left and whose descriptors are not closed. */
	late(): readonly LateDevice[] {
		return [...this.#closing.keys()].map(({placed: {name}}) => ({name, inFlight: 'another thread has its doorbells'}));
	}

	/**
	 * The back end would go on signalling a number that is somebody else's by then, as long as another thread is at having it let go. One that
	 * does not come back keeps them.
	 */
	#closeWhenFollowed(change: number, device: AttachedDevice, descriptors: readonly Descriptor[]): void {
		const {promise, resolve} = Promise.withResolvers<void>();
		this.#closing.set(device, promise);
		const look = (looksLeft: number) => {
			if (this.#machine.decode.isFollowed(change)) {
				for (const {fd, watch} of descriptors) {
					watch.close();
					close(fd);
				}
				this.#closing.delete(device);
				resolve();
			} else if (looksLeft > 0) this.#reactor.after(lookNs, () => look(looksLeft - 1));
		};
		look(looks);
	}

	#make({placed: {calls}, doorbells}: AttachedDevice): readonly Descriptor[] {
		if (calls === undefined) return [];
		const {doorbells: table} = this.#machine.calls;
		const ready = this.#machine.calls.readyOf(this.#worker);
		const queues = [...new Set(doorbells.map(({queue}) => queue))].filter(
			(queue) => workerOf(calls, queue) === this.#worker,
		);
		return queues.flatMap((queue) => {
			const [slot, fd] = [queueSlot(calls, queue), eventfd()];
			// A process without any left has the bus ring this one.
			if (fd < 0) return [];
			const watch = this.#reactor.watch(fd, {readable: true, writable: false}, () => {
				drainEventfd(fd, this.#scratch);
				// This thread looks at the set before it sleeps.
				ready.signal(slot);
			});
			table.setFd(slot, fd);
			return {slot, fd, watch};
		});
	}
}
