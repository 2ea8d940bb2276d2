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

/** What decides where doorbells are. */
interface Surroundings {
	readonly devices: readonly AttachedDevice[];
	readonly pci: PciFabric | undefined;
	readonly portTable: SharedArrayBuffer;
}

/** One thread's way to whoever runs the backs: calls of fronts, and doorbells, rung by the back end or by the bus. */
export class DeviceCalls {
	readonly ready: ReadySet;
	readonly doorbells: DoorbellTable;
	readonly #waker: Waker;

	constructor({ready, doorbells, waker}: MachineLayout, backEnd: DoorbellBackEnd | undefined) {
		this.ready = new ReadySet(ready);
		this.doorbells = new DoorbellTable(doorbells, backEnd);
		this.#waker = new Waker(waker);
	}

	/** Says that a slot has work, and wakes the worker. */
	signal(slot: number): void {
		if (this.ready.signal(slot)) this.#waker.wake();
	}

	/** The way to a device, past its doorbells. */
	target({placed, doorbells}: AttachedDevice, target: BusTarget): BusTarget {
		const {calls} = placed;
		if (calls === undefined || doorbells.length === 0) return target;
		return new DoorbellTarget(target, doorbells, (queue) => this.signal(queueSlot(calls, queue)));
	}

	/** Has the back end ring all doorbells where they answer now. */
	refresh(around: Surroundings): void {
		if (!this.doorbells.isUsed) return;
		const wanted = () => around.devices.flatMap((device) => this.#wanted(device, (at) => placeOf(around, device, at)));
		this.doorbells.refresh(wanted);
	}

	/** Ends what the back end does for these devices, which leave the machine. */
	takeBack(devices: readonly AttachedDevice[]): void {
		if (devices.length > 0)
			this.doorbells.refresh(() => devices.flatMap((device) => this.#wanted(device, () => undefined)));
	}

	#wanted(
		{placed, doorbells}: AttachedDevice,
		locate: (declaration: DoorbellDeclaration) => DoorbellPlace | undefined,
	): WantedDoorbell[] {
		const {calls} = placed;
		if (calls === undefined) return [];
		return doorbells.map((declaration, index) => ({
			entry: calls.doorbell + index,
			declaration,
			place: locate(declaration),
			fd: this.doorbells.fdOf(queueSlot(calls, declaration.queue)),
		}));
	}
}

/** Undefined where a write would not reach the device now. */
function placeOf(
	{devices, pci, portTable}: Surroundings,
	device: AttachedDevice,
	{region, offset}: DoorbellDeclaration,
): DoorbellPlace | undefined {
	const declared = device.model.regions(device.placed.config)[region];
	if (declared?.space === 'pio' || declared?.space === 'mmio')
		return {space: declared.space, address: declared.base + offset};
	const place = pci?.locate(devices.indexOf(device), region, offset);
	// A device with fixed ports answers before a function does.
	return place?.space === 'pio' && new Uint16Array(portTable)[place.address] !== 0 ? undefined : place;
}
