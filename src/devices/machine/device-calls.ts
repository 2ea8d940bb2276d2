import type {DoorbellDeclaration} from '#devices/device';
import {
	type DoorbellBackEnd,
	type DoorbellPlace,
	DoorbellTable,
	DoorbellTarget,
	type WantedDoorbell,
} from '#devices/doorbells';
import type {BusTarget} from '#devices/io-bus';
import type {PciFabric} from '#devices/pci/fabric';
import {ReadySet, Waker} from '#support/mailbox';
import type {AttachedDevice} from './attached-device.ts';
import {type MachineLayout, type PlacedCalls, queueSlot, restSlot, workerOf} from './layout.ts';

/** One thread's way to the workers that run the backs: calls of fronts, and doorbells, rung by the back end or by the bus. */
export class DeviceCalls {
	readonly doorbells: DoorbellTable;
	readonly #workers: readonly {readonly ready: ReadySet; readonly waker: Waker}[];
	/** Not zero where a device has the port for good. */
	readonly #ports: Uint16Array;

	constructor({workers, doorbells, portTable}: MachineLayout, backEnd: DoorbellBackEnd | undefined) {
		this.#workers = workers.map(({ready, waker}) => ({ready: new ReadySet(ready), waker: new Waker(waker)}));
		this.doorbells = new DoorbellTable(doorbells, backEnd);
		this.#ports = new Uint16Array(portTable);
	}

	/** Gives the work that a worker has. @param worker - the machine's, from 0 on */
	readyOf(worker: number): ReadySet {
		return this.#workerAt(worker).ready;
	}

	/** Calls for a device's back, on each of its workers. */
	callBack(calls: PlacedCalls): void {
		for (let worker = 0; worker < calls.workers; worker++) this.#signal(worker, calls.slot);
	}

	/** Tells each worker of a device that a rest is asked for, or over. */
	callForRest(calls: PlacedCalls): void {
		for (let worker = 0; worker < calls.workers; worker++) this.#signal(worker, restSlot(calls));
	}

	/** Says that a queue has work. */
	callForQueue(calls: PlacedCalls, queue: number): void {
		this.#signal(workerOf(calls, queue), queueSlot(calls, queue));
	}

	/** The way to a device, past its doorbells. */
	target({placed, doorbells, state}: AttachedDevice, target: BusTarget): BusTarget {
		const {calls} = placed;
		if (calls === undefined || doorbells.length === 0) return target;
		return new DoorbellTarget(target, doorbells, state, (queue) => this.callForQueue(calls, queue));
	}

	/**
	 * Has the back end ring these devices' doorbells where they answer now, and none whose queue has no descriptor.
	 * @param devices - all of the machine's, by their numbers
	 */
	follow(devices: readonly AttachedDevice[], pci: PciFabric | undefined): void {
		this.doorbells.follow(devices.flatMap((device, number) => this.#wanted(device, number, pci)));
	}

	#signal(worker: number, slot: number): void {
		const {ready, waker} = this.#workerAt(worker);
		if (ready.signal(slot)) waker.wake();
	}

	#workerAt(worker: number) {
		const found = this.#workers[worker];
		if (found === undefined) throw new RangeError(`the machine has no worker ${worker}`);
		return found;
	}

	#wanted(device: AttachedDevice, number: number, pci: PciFabric | undefined): WantedDoorbell[] {
		const {calls} = device.placed;
		if (calls === undefined) return [];
		return device.doorbells.map((declaration, index) => {
			const fd = this.doorbells.fdOf(queueSlot(calls, declaration.queue));
			const place = fd === undefined ? undefined : this.#locate(device, number, declaration, pci);
			return {entry: calls.doorbell + index, declaration, place, fd};
		});
	}

	/** Undefined where a write would not reach the device now. */
	#locate(
		{regions}: AttachedDevice,
		number: number,
		{region, offset}: DoorbellDeclaration,
		pci: PciFabric | undefined,
	): DoorbellPlace | undefined {
		const declared = regions[region];
		if (declared?.space === 'pio' || declared?.space === 'mmio')
			return {space: declared.space, address: declared.base + offset};
		const place = pci?.locate(number, region, offset);
		// A device with fixed ports answers before a function does.
		return place?.space === 'pio' && this.#ports[place.address] !== 0 ? undefined : place;
	}
}
