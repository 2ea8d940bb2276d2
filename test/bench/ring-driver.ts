/** A driver of virtio-blk for benches, which keeps its queues as deep as a guest's does: what the device has done is asked for anew at once. */

import {fence, type GuestWindow} from '#devices/guest-memory';
import {ringEvent, TestDriver} from '#devices/virtio/testing';
import {unchecked} from '#support/trust';
import type {DiskJob} from './disk-job.ts';

/** Entries of a queue; a request takes three descriptors. */
const queueSize = 128;
const descriptorsOfRequest = 3;
/** Requests that a queue has at most. */
export const mostDepth = 32;
const [headers, statuses, buffers] = [0x2_0000, 0x2_8000, 0x4_0000];
/** Large ones share it. */
const bufferBytes = 2 ** 21;
/** Bytes of guest memory, from 0 on, that a machine needs for a driver. */
export const driverRamBytes = 4 * 2 ** 20;
const types = {read: 0, write: 1, flush: 4} as const;
const [NEXT, WRITE] = [1, 2];
const writeCacheFlush = 9;
/** Offsets in rings (virtio 1.2, 2.7): flags and index, then the elements, then the event index of the other side. */
const [index, elements] = [2, 4];
/** A device that is broken says so there, and nothing else (virtio 1.2, 2.1). */
const needsReset = 64;
/** Looks in vain between two at whether it is. */
const looksInVain = 2 ** 16;
const driversEvent = elements + 2 * queueSize;
const devicesEvent = elements + 8 * queueSize;

type Machine = ConstructorParameters<typeof TestDriver>[0];

/** A queue, and where its sides have come to. */
interface Queue {
	readonly number: number;
	readonly available: GuestWindow;
	readonly used: GuestWindow;
	/** Indices of the rings, which wrap at 16 bits. */
	asked: number;
	seen: number;
}

export class RingDriver {
	readonly #machine: Pick<Machine, 'memory' | 'registers'>;
	readonly #queues: readonly Queue[];
	readonly #job: DiskJob;
	readonly #driver: TestDriver<Machine>;
	/** When each request was asked for, in milliseconds. */
	readonly #since: Float64Array;
	/** By request: what it has written is being flushed. */
	readonly #isFlush: Uint8Array;
	#latencies: number[] | undefined;
	#left = 0;
	#underWay = 0;

	constructor(machine: Pick<Machine, 'memory' | 'registers'>, job: DiskJob, queues = 1) {
		this.#machine = machine;
		this.#job = job;
		this.#since = new Float64Array(queues * mostDepth);
		this.#isFlush = new Uint8Array(queues * mostDepth);
		const driver = new TestDriver<Machine>(machine as Machine, queueSize);
		this.#driver = driver;
		// Who cannot flush has writes made durable.
		driver.begin(job.isDurable ? [ringEvent] : [ringEvent, writeCacheFlush], queues);
		const {memory} = machine;
		this.#queues = Array.from({length: queues}, (_, number) => {
			const place = driver.place(number);
			for (let slot = 0; slot < mostDepth; slot++) {
				const [head, at] = [descriptorsOfRequest * slot, number * mostDepth + slot];
				const data = buffers + job.bytes * (at % Math.floor(bufferBytes / job.bytes));
				driver.describe(place.descriptors, head, headers + 16 * at, 16, NEXT, head + 1);
				const flags = NEXT | (job.kind === 'read' ? WRITE : 0);
				driver.describe(place.descriptors, head + 1, data, job.bytes, flags, head + 2);
				driver.describe(place.descriptors, head + 2, statuses + at, 1, WRITE);
				memory.writeU64(headers + 16 * at, types[job.kind]);
			}
			const available = memory.mapped(place.driver, driversEvent + 2, 2) as GuestWindow;
			const used = memory.mapped(place.device, devicesEvent + 2, 2) as GuestWindow;
			return {number, available, used, asked: 0, seen: 0};
		});
	}

	/** Has so many requests of its job done, so many at once in each queue. @param wait - called while the device has nothing new to say */
	run(requests: number, depth: number, wait: () => void, latencies?: number[]): void {
		this.begin(requests, depth, latencies);
		for (let inVain = 1; this.#underWay > 0; inVain++) {
			if (this.look()) continue;
			if (inVain % looksInVain === 0) this.#seeThatItWorks();
			wait();
		}
	}

	#seeThatItWorks(): void {
		if ((this.#machine.registers.read('device_status') & needsReset) !== 0) throw new Error('the device needs a reset');
	}

	/** Asks for the first of so many. @param latencies - where microseconds of each are to be, if they are wanted */
	begin(requests: number, depth: number, latencies?: number[]): void {
		this.#latencies = latencies;
		this.#left = requests;
		for (const queue of this.#queues) {
			const before = queue.asked;
			for (let slot = 0; slot < depth && this.#left > 0; slot++) this.#ask(queue, slot);
			this.#publish(queue, before);
		}
	}

	/** Takes what the device has done, and asks for more in its place; false where there is nothing. */
	look(): boolean {
		let isNew = false;
		for (const queue of this.#queues) {
			const end = unchecked(queue.used.acquireU16(index));
			if (end === queue.seen) continue;
			isNew = true;
			const before = queue.asked;
			for (; queue.seen !== end; queue.seen = (queue.seen + 1) & 0xffff) {
				const at = elements + 8 * (queue.seen & (queueSize - 1));
				const slot = unchecked(queue.used.readU16(at)) / descriptorsOfRequest;
				if (this.#flush(queue, slot)) continue;
				this.#take(queue, slot);
				if (this.#left > 0) this.#ask(queue, slot);
			}
			// The next one is to be told of, as Linux has it.
			queue.available.writeU16(driversEvent, queue.seen);
			this.#publish(queue, before);
		}
		return isNew;
	}

	/** Requests that the device has. */
	get underWay(): number {
		return this.#underWay;
	}

	#ask(queue: Queue, slot: number): void {
		this.#left--;
		this.#underWay++;
		const at = queue.number * mostDepth + slot;
		const offset = this.#job.next();
		this.#machine.memory.writeU64(headers + 16 * at + 8, offset / 512);
		queue.available.writeU16(elements + 2 * (queue.asked & (queueSize - 1)), descriptorsOfRequest * slot);
		queue.asked = (queue.asked + 1) & 0xffff;
		if (this.#latencies !== undefined) this.#since[at] = performance.now();
	}

	/** Has what a request has written flushed, before it counts as done. @returns false where there is nothing of that */
	#flush(queue: Queue, slot: number): boolean {
		if (!this.#job.isFlushed) return false;
		const at = queue.number * mostDepth + slot;
		const isFlush = (this.#isFlush[at] as number) === 0;
		this.#isFlush[at] = Number(isFlush);
		const head = descriptorsOfRequest * slot;
		const {descriptors} = this.#driver.place(queue.number);
		// A flush has no data.
		this.#driver.describe(descriptors, head, headers + 16 * at, 16, NEXT, isFlush ? head + 2 : head + 1);
		this.#machine.memory.writeU64(headers + 16 * at, isFlush ? types.flush : types[this.#job.kind]);
		if (!isFlush) return false;
		this.#check(at);
		this.#machine.memory.writeU64(headers + 16 * at + 8, 0);
		queue.available.writeU16(elements + 2 * (queue.asked & (queueSize - 1)), head);
		queue.asked = (queue.asked + 1) & 0xffff;
		return true;
	}

	#check(at: number): void {
		if (unchecked(this.#machine.memory.readU8(statuses + at)) !== 0) throw new Error(`a ${this.#job.kind} failed`);
	}

	/** Shows the device what was asked for, and rings where it wants to be told (virtio 1.2, 2.7.10). */
	#publish(queue: Queue, before: number): void {
		if (queue.asked === before) return;
		queue.available.releaseU16(index, queue.asked);
		fence();
		const event = unchecked(queue.used.readU16(devicesEvent));
		if (((queue.asked - event - 1) & 0xffff) < ((queue.asked - before) & 0xffff))
			this.#machine.registers.notify(queue.number);
	}

	#take(queue: Queue, slot: number): void {
		this.#underWay--;
		const at = queue.number * mostDepth + slot;
		this.#check(at);
		this.#latencies?.push((performance.now() - (this.#since[at] as number)) * 1000);
	}
}
