import {type QueueFault, type QueuePlace, type QueueProgress, queueFaults} from '#devices/virtio/queue';
import {bits, choice, type FieldsView, u32, wire} from '#support/wire';

/** One queue in shared state: what the driver has set, and how far the device has come. */
export const QueueState = wire('virtio-queue', {
	size: u32,
	ready: u32,
	vector: u32,
	descriptorsLow: u32,
	descriptorsHigh: u32,
	driverLow: u32,
	driverHigh: u32,
	deviceLow: u32,
	deviceHigh: u32,
	/** Progress of the queue, as of the time when its back was stopped last. */
	available: u32,
	used: u32,
	/** Cause of its breaking, for inspect. */
	fault: bits(u32, {cause: choice(3, 0, queueFaults)}),
});

/** Off for good is off until a reset: only then a queue begins at the beginning. */
const Ready = {OFF: 0, ON: 1, OFF_FOR_GOOD: 2, RESETTING: 3} as const;

/** A half of where a part of the queue lies. */
export type QueueAddress = `${'descriptors' | 'driver' | 'device'}${'Low' | 'High'}`;

/** One queue's registers over shared state, which may hold anything: a snapshot is anybody's. */
export class QueueRegisters {
	readonly #state: FieldsView<typeof QueueState.fields>;
	readonly #isPacked: () => boolean;
	/** The largest size. */
	readonly most: number;

	/** @param isPacked - whether that has been agreed on */
	constructor(state: FieldsView<typeof QueueState.fields>, most: number, isPacked: () => boolean) {
		this.#state = state;
		this.#isPacked = isPacked;
		this.most = most;
	}

	/** @param isInUse - its worker may still have chains of it */
	reset(vector: number, isInUse = false): void {
		QueueState.reset(this.#state);
		if (isInUse) this.#state.ready = Ready.RESETTING;
		this.#state.size = this.most;
		this.#state.vector = vector;
	}

	get size(): number {
		return this.#state.size & 0xffff;
	}

	/** A size that no queue can have changes nothing (virtio 1.2, 2.7, 2.8). */
	set size(value: number) {
		if (this.#isSize(value) && !this.ready) this.#state.size = value;
	}

	get ready(): boolean {
		return this.#state.ready === Ready.ON;
	}

	/** It has been reset, and its worker has not let go of it. */
	get isResetting(): boolean {
		return this.#state.ready === Ready.RESETTING;
	}

	/** Its worker has nothing of it any more. */
	rested(): void {
		if (this.isResetting) this.#state.ready = Ready.OFF;
	}

	turnOn(): void {
		if (this.#state.ready === Ready.OFF) this.#state.ready = Ready.ON;
	}

	turnOff(): void {
		if (this.ready) this.#state.ready = Ready.OFF_FOR_GOOD;
	}

	set fault(cause: QueueFault) {
		this.#state.fault.cause = cause;
	}

	get vector(): number {
		return this.#state.vector & 0xffff;
	}

	set vector(value: number) {
		this.#state.vector = value;
	}

	get progress(): QueueProgress {
		return {available: this.#state.available & 0xffff, used: this.#state.used & 0xffff};
	}

	set progress({available, used}: QueueProgress) {
		this.#state.available = available;
		this.#state.used = used;
	}

	address(part: QueueAddress): number {
		return this.#state[part];
	}

	setAddress(part: QueueAddress, value: number): void {
		if (!this.ready) this.#state[part] = value;
	}

	/** Place of the queue; undefined when it is not ready, or is of a size that no queue has. */
	get place(): QueuePlace | undefined {
		if (!this.ready || !this.#isSize(this.size)) return undefined;
		const {descriptorsLow, descriptorsHigh, driverLow, driverHigh, deviceLow, deviceHigh} = this.#state;
		return {
			size: this.size,
			descriptors: descriptorsHigh * 2 ** 32 + descriptorsLow,
			driver: driverHigh * 2 ** 32 + driverLow,
			device: deviceHigh * 2 ** 32 + deviceLow,
		};
	}

	/** Of a packed queue it need not be a power of two (virtio 1.2, 2.8.10.1). */
	#isSize(value: number): boolean {
		return value >= 1 && value <= this.most && ((value & (value - 1)) === 0 || this.#isPacked());
	}
}
