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
import {type MachineLayout, queueSlot} from './layout.ts';

/** One thread's way to whoever runs the backs: calls of fronts, and doorbells, rung by the back end or by the bus. */
export class DeviceCalls {
	readonly ready: ReadySet;
	readonly doorbells: DoorbellTable;
	readonly #waker: Waker;
	/** Not zero where a device has the port for good. */
	readonly #ports: Uint16Array;

	constructor({ready, doorbells, waker, portTable}: MachineLayout, backEnd: DoorbellBackEnd | undefined) {
		this.ready = new ReadySet(ready);
		this.doorbells = new DoorbellTable(doorbells, backEnd);
		this.#waker = new Waker(waker);
		this.#ports = new Uint16Array(portTable);
	}

	/** Says that a slot has work, and wakes the worker. */
	signal(slot: number): void {
		if (this.ready.signal(slot)) this.#waker.wake();
	}

	/** The way to a device, past its doorbells. */
	target({placed, doorbells, state}: AttachedDevice, target: BusTarget): BusTarget {
		const {calls} = placed;
		if (calls === undefined || doorbells.length === 0) return target;
		return new DoorbellTarget(target, doorbells, state, (queue) => this.signal(queueSlot(calls, queue)));
	}

	/**
	 * Has the back end ring these devices' doorbells where they answer now, and none whose queue has no descriptor.
	 * @param devices - by their numbers, or some whose queues have none any more
	 */
	refresh(devices: readonly AttachedDevice[], pci?: PciFabric): void {
		this.doorbells.refresh(() => devices.flatMap((device, number) => this.#wanted(device, number, pci)));
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
