import {close, drainEventfd, eventfd} from '#support/ffi';
import type {Reactor, Watch} from '#support/reactor';
import type {AttachedDevice} from './attached-device.ts';
import type {AttachedMachine} from './attached-machine.ts';
import {queueSlot, workerOf} from './layout.ts';

interface Descriptor {
	readonly slot: number;
	readonly fd: number;
	readonly watch: Watch;
}

/** The descriptors by which a back end tells a worker that queues have work, without a vCPU's thread. */
export class QueueDescriptors {
	readonly #machine: AttachedMachine;
	readonly #reactor: Reactor;
	readonly #worker: number;
	readonly #open = new Map<AttachedDevice, readonly Descriptor[]>();
	readonly #scratch = new Uint8Array(8);

	/** @param worker - the one that this thread is */
	constructor(machine: AttachedMachine, reactor: Reactor, worker: number) {
		this.#machine = machine;
		this.#reactor = reactor;
		this.#worker = worker;
	}

	/** Gives every queue that this worker has of these devices one, where the back end makes use of it, and closes those of all others. */
	follow(devices: readonly AttachedDevice[]): void {
		const {calls} = this.#machine;
		if (!calls.doorbells.isUsed) return;
		const leaving = [...this.#open].filter(([device]) => !devices.includes(device));
		for (const [device, descriptors] of leaving) {
			this.#open.delete(device);
			for (const {slot} of descriptors) calls.doorbells.setFd(slot, undefined);
		}
		// Before they are closed: the back end would go on signalling a number that is somebody else's by then.
		calls.refresh(leaving.map(([device]) => device));
		for (const device of devices) if (!this.#open.has(device)) this.#open.set(device, this.#make(device));
		this.#machine.refreshDoorbells();
		for (const {fd, watch} of leaving.flatMap(([, descriptors]) => descriptors)) {
			watch.close();
			close(fd);
		}
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
