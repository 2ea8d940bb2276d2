import {unchecked} from '#support/trust';
import type {VirtioMachine} from './virtio-machine.ts';

/** A buffer of a request. */
export interface Buffer {
	readonly at: number;
	readonly length: number;
	readonly writable?: boolean;
}

const [ringIndirect, ringEvent, ringPacked, ringInOrder, ringReset] = [28, 29, 34, 35, 40];

/** A driver's part of its machine. */
type DriverMachine = Pick<VirtioMachine, 'memory' | 'registers'> & Partial<Pick<VirtioMachine, 'run'>>;

/** Room for the parts of a queue. */
const queueBytes = 0x4000;
const placeOf = (queue: number) => {
	const descriptors = 0x1_0000 + queueBytes * queue;
	return {descriptors, driver: descriptors + 0x2000, device: descriptors + 0x3000};
};

/** A guest's driver: negotiates, sets queues up, makes buffers available and looks at those that are used. */
export class TestDriver<M extends DriverMachine = VirtioMachine> {
	readonly machine: M;
	readonly queueSize: number;
	/** By queue: the available index, and the used index that was looked at. */
	readonly #indices = new Map<number, {available: number; used: number}>();

	constructor(machine: M, queueSize = 8) {
		this.machine = machine;
		this.queueSize = queueSize;
	}

	/** Goes on where the driver of another machine was, of which this one was restored. */
	resume(other: Pick<TestDriver<M>, 'positions'>): void {
		for (const [queue, position] of other.positions) this.#indices.set(queue, {...position});
	}

	/** Its progress, by queue. */
	get positions(): ReadonlyMap<number, {readonly available: number; readonly used: number}> {
		return this.#indices;
	}

	get status(): number {
		return this.machine.registers.read('device_status');
	}

	/** Features that the device offers. */
	get offered(): number[] {
		const {registers} = this.machine;
		return Array.from({length: 64}, (_, bit) => bit).filter((bit) => {
			registers.write('device_feature_select', bit >> 5);
			return ((registers.read('device_feature') >>> (bit & 31)) & 1) !== 0;
		});
	}

	/** The steps of virtio 1.2, 3.1.1 up to the driver being ready. */
	begin(features: readonly number[] = [], queues = 1): void {
		const {registers} = this.machine;
		for (const bit of [1, 3]) registers.write('device_status', bit);
		for (const word of [0, 1]) {
			const bits = [32, ...features].filter((bit) => bit >> 5 === word);
			registers.write('driver_feature_select', word);
			registers.write(
				'driver_feature',
				bits.reduce((all, bit) => (all | (1 << (bit & 31))) >>> 0, 0),
			);
		}
		registers.write('device_status', 0xb);
		for (let queue = 0; queue < queues; queue++) this.setUp(queue);
		registers.write('device_status', 0xf);
	}

	/** Gives a queue its memory, and turns it on. */
	setUp(queue: number): void {
		const {registers, memory} = this.machine;
		const {descriptors, driver, device} = placeOf(queue);
		memory.fill(descriptors, queueBytes, 0);
		registers.write('queue_select', queue);
		registers.write('queue_size', this.queueSize);
		registers.write('queue_desc', descriptors);
		registers.write('queue_driver', driver);
		registers.write('queue_device', device);
		registers.write('queue_enable', 1);
		this.#indices.set(queue, {available: 0, used: 0});
	}

	/** Writes one descriptor. */
	describe(table: number, index: number, at: number, length: number, flags: number, next = 0): void {
		const {memory} = this.machine;
		memory.writeU64(table + 16 * index, at);
		memory.writeU32(table + 16 * index + 8, length);
		memory.writeU16(table + 16 * index + 12, flags);
		memory.writeU16(table + 16 * index + 14, next);
	}

	/** Chains buffers from descriptor `head` on, and makes them available. */
	offer(buffers: readonly Buffer[], {queue = 0, head = 0}: {queue?: number; head?: number} = {}): void {
		const {descriptors} = placeOf(queue);
		for (const [index, {at, length, writable}] of buffers.entries()) {
			const isLast = index === buffers.length - 1;
			this.describe(
				descriptors,
				head + index,
				at,
				length,
				(isLast ? 0 : 1) | (writable ? 2 : 0),
				isLast ? 0 : head + index + 1,
			);
		}
		this.publish(head, queue);
	}

	/** Makes the chain that begins with a descriptor available. */
	publish(head: number, queue = 0): void {
		const {memory} = this.machine;
		const indices = this.#of(queue);
		const {driver} = placeOf(queue);
		memory.writeU16(driver + 4 + 2 * (indices.available % this.queueSize), head);
		indices.available = (indices.available + 1) & 0xffff;
		memory.writeU16(driver + 2, indices.available);
	}

	/** Sets the available index to whatever. */
	claim(index: number, queue = 0): void {
		this.machine.memory.writeU16(placeOf(queue).driver + 2, index);
	}

	/** Notifies the device and lets it work. */
	async notify(queue = 0): Promise<void> {
		this.machine.registers.notify(queue);
		await this.machine.run?.();
	}

	/** Chains that the device has used since the last call, as head and length. */
	used(queue = 0): [head: number, written: number][] {
		const {memory} = this.machine;
		const indices = this.#of(queue);
		const {device} = placeOf(queue);
		const index = unchecked(memory.readU16(device + 2) as never) as number;
		const found: [number, number][] = [];
		for (; indices.used !== index; indices.used = (indices.used + 1) & 0xffff) {
			const at = device + 4 + 8 * (indices.used % this.queueSize);
			found.push([memory.readU32(at) as never, memory.readU32(at + 4) as never]);
		}
		return found;
	}

	/** Descriptor table, available ring and used ring. */
	place(queue = 0) {
		return placeOf(queue);
	}

	#of(queue: number) {
		const found = this.#indices.get(queue);
		if (found === undefined) throw new RangeError(`queue ${queue} is not set up`);
		return found;
	}
}

export {ringEvent, ringIndirect, ringInOrder, ringPacked, ringReset};

/** Draws numbers below a limit, the same in every run. */
export function seeded(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((state / 2 ** 32) * limit);
	};
}
