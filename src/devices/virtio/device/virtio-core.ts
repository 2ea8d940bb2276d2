import type {AccessSize, DeviceServices} from '#devices/device';
import type {QueueFault} from '#devices/virtio/queue';
import type {Fields, FieldsView} from '#support/wire';
import {queuesOf, type VirtioDevice} from './declaration.ts';
import {QueueRegisters, type QueueState} from './queue-registers.ts';
import {Feature, noVector, Status, statusNeeds, usualOffer} from './registers.ts';
import type {VirtioState} from './state.ts';

/** One thread's view of a virtio device: what the driver has set, whatever the transport. Used under the device's lock. */
export class VirtioCore {
	readonly state: VirtioState;
	readonly queues: readonly QueueRegisters[];
	/** Features 0–31 and 32–63 that the device offers. */
	readonly offered: readonly [low: number, high: number];
	readonly #initialConfig: Uint8Array;
	readonly #services: Pick<DeviceServices, 'restBack' | 'notifyBack'>;
	readonly #goTogether: () => boolean;
	readonly #configWritten: (offset: number, value: number) => boolean;
	/** Fields of configuration space that the driver writes, by their offsets: the feature that this needs, and the largest value. */
	readonly #written: ReadonlyMap<number, WritableField>;

	constructor(
		device: VirtioDevice<unknown, Fields, string>,
		config: unknown,
		state: VirtioState,
		services: Pick<DeviceServices, 'restBack' | 'notifyBack'>,
	) {
		this.state = state;
		const views = state['virtio.queues'];
		const isPacked = () => this.has(Feature.RING_PACKED);
		this.queues = queuesOf(device, config).map(
			({size}, index) => new QueueRegisters(views[index] as FieldsView<typeof QueueState.fields>, size, isPacked),
		);
		const names = device.offers?.(config) ?? Object.keys(device.features);
		const isOffered: Readonly<Record<string, boolean>> = {...usualOffer, ...device.platform?.(config), VERSION_1: true};
		const ofPlatform = Object.entries(Feature).filter(([name]) => isOffered[name] ?? true);
		this.offered = asWords([
			...ofPlatform.map(([, bit]) => bit),
			...names.map((name) => device.features[name] as number),
		]);
		this.#initialConfig = device.config?.values(config) ?? new Uint8Array();
		this.#written = new Map(
			device.config?.written?.map(({offset, size = 1, needs, most}) => [
				offset,
				{size, feature: needs === undefined ? undefined : (device.features[needs] as number), most},
			]),
		);
		this.#services = services;
		const isAccepted = (name: string) => this.#isAccepted(device.features[name] as number);
		this.#configWritten = (offset, value) => device.configWritten?.(offset, value, state as never, config) === true;
		this.#goTogether = () => device.accepts?.(isAccepted, config) ?? true;
	}

	/** Gives registers their values at power-on, when all else is zero. */
	powerOn(): void {
		this.#reset();
		this.state['virtio.config'].set(this.#initialConfig.subarray(0, this.state['virtio.config'].length));
	}

	/** Configuration is the device's, and stays, but for what the driver has written. */
	#reset(): void {
		const {state} = this;
		for (const name of registerFields) state[name] = 0;
		for (const [offset, {size}] of this.#written)
			state['virtio.config'].set(this.#initialConfig.subarray(offset, offset + size), offset);
		state['virtio.configVector'] = noVector;
		state['virtio.features'].fill(0);
		for (const queue of this.queues) queue.reset(noVector);
	}

	/** The backs may still complete requests of before a reset. */
	get isResetting(): boolean {
		return this.state['virtio.resetting'] !== 0;
	}

	/** The driver uses the queues. */
	get isLive(): boolean {
		return (this.status & (Status.DRIVER_OK | Status.NEEDS_RESET)) === Status.DRIVER_OK && !this.isResetting;
	}

	get status(): number {
		return this.state['virtio.status'] & 0xff;
	}

	/** The driver has reset the device, and no worker has anything of before. */
	rested(): void {
		this.state['virtio.resetting'] = 0;
	}

	/**
	 * A write of the driver. Zero resets registers at once, since Linux does not wait on MMIO; queues are used again when
	 * the backs have stopped.
	 */
	writeStatus(value: number): void {
		if (value === 0) {
			// The backs, which take no lock, see this before any register changes.
			if (!this.isResetting && (this.status & Status.DRIVER_OK) !== 0) this.state['virtio.resetting'] = this.status;
			this.#reset();
			if (this.isResetting) this.#services.restBack();
			return;
		}
		for (const [bit, needs] of statusNeeds) {
			const {status} = this;
			if ((value & bit) === 0 || (status & needs) !== needs) continue;
			if (bit === Status.FEATURES_OK && !this.#areFeaturesPossible) continue;
			this.state['virtio.status'] = status | bit;
		}
	}

	/** A snapshot is anybody's: a driver that has agreed on what cannot be starts anew, before the back has seen any of it. */
	restored(): void {
		if ((this.status & Status.FEATURES_OK) !== 0 && !this.#areFeaturesPossible)
			this.state['virtio.status'] = this.status | Status.NEEDS_RESET;
	}

	/** The driver resets one queue (virtio 1.2, 2.6.1), which the worker that has it then lets go of. */
	resetQueue(queue: QueueRegisters): void {
		if (!this.has(Feature.RING_RESET)) return;
		queue.reset(noVector, true);
		this.#services.notifyBack();
	}

	/** A queue is broken. One of before a reset says nothing of the device. */
	needReset(queue: QueueRegisters, fault: QueueFault): void {
		if (this.isResetting) return;
		queue.fault = fault;
		this.state['virtio.status'] = this.status | Status.NEEDS_RESET;
	}

	/** A word of what the driver accepts; fixed once the device has agreed (3.1.1). */
	writeFeatures(value: number): void {
		const select = this.state['virtio.driverSelect'];
		if (select < 2 && (this.status & Status.FEATURES_OK) === 0) this.state['virtio.features'][select] = value;
	}

	/** True when both sides have agreed on the feature of this number. */
	has(bit: number): boolean {
		return (this.status & Status.FEATURES_OK) !== 0 && this.#isAccepted(bit);
	}

	/** The queue that registers of queues are about. */
	get selected(): QueueRegisters | undefined {
		return this.queues[this.state['virtio.queueSelect']];
	}

	/** Reads device configuration space. */
	readConfig(offset: number, size: number): number {
		const bytes = this.state['virtio.config'];
		let value = 0;
		for (let i = 0; i < size; i++) value += (bytes[offset + i] ?? 0) * 2 ** (8 * i);
		return value;
	}

	/** Writes device configuration space: where the driver may, and such a field alone. */
	writeConfig(offset: number, size: AccessSize, value: number): void {
		const field = this.#written.get(offset);
		if (field === undefined || size !== field.size || value >>> 0 > field.most) return;
		if (field.feature !== undefined && !this.has(field.feature)) return;
		for (let byte = 0; byte < size; byte++) this.state['virtio.config'][offset + byte] = value >>> (8 * byte);
		if (this.#configWritten(offset, value >>> 0)) this.#services.notifyBack();
	}

	#isAccepted(bit: number): boolean {
		return (((this.state['virtio.features'][bit >> 5] as number) >>> (bit & 31)) & 1) !== 0;
	}

	/** Only such as were offered, version 1 among them, as there is no legacy interface (6.1), that go together for the device. */
	get #areFeaturesPossible(): boolean {
		const [low, high] = this.state['virtio.features'] as unknown as readonly [number, number];
		const isVersion1 = (high & (1 << (Feature.VERSION_1 - 32))) !== 0;
		return isVersion1 && (low & ~this.offered[0]) === 0 && (high & ~this.offered[1]) === 0 && this.#goTogether();
	}
}

interface WritableField {
	readonly size: AccessSize;
	readonly feature: number | undefined;
	readonly most: number;
}

const registerFields = [
	'virtio.status',
	'virtio.deviceSelect',
	'virtio.driverSelect',
	'virtio.queueSelect',
	'virtio.interrupts',
] as const;

function asWords(bits: readonly number[]): readonly [low: number, high: number] {
	const word = (index: number) =>
		bits.filter((bit) => bit >> 5 === index).reduce((all, bit) => (all | (1 << (bit & 31))) >>> 0, 0);
	return [word(0), word(1)];
}
