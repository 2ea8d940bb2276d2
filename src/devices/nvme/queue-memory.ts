import {fence, type GuestMemory, type GuestWindow} from '#devices/guest-memory';
import {type Guest, unchecked} from '#support/trust';
import {type Controller, wide} from './controller.ts';
import {Command, CompletionEntry} from './layout.ts';
import {pageBytes} from './registers.ts';
import type {Completion, Submission} from './state.ts';
import {mostQueues} from './state.ts';

const shadowBytes = 2 * mostQueues * Uint32Array.BYTES_PER_ELEMENT;
const statusOffset = CompletionEntry.offset('id');

/** One worker's way to the queues and the shadow doorbells in guest memory, where they may lie anywhere. */
export class QueueMemory {
	readonly #memory: GuestMemory;
	readonly #controller: Controller;
	readonly #submissions: (GuestWindow | undefined)[] = [];
	readonly #completions: (GuestWindow | undefined)[] = [];
	#shadow: GuestWindow | undefined;
	#eventIndex: GuestWindow | undefined;
	readonly #entry = CompletionEntry.on(new ArrayBuffer(CompletionEntry.size));

	constructor(memory: GuestMemory, controller: Controller) {
		this.#memory = memory;
		this.#controller = controller;
	}

	/** Copies the command at an entry of a submission queue; false where the queue does not lie in memory. */
	fetch(queue: number, {baseLow, baseHigh, size}: Submission, at: number, target: Uint8Array): boolean {
		const window = this.#map(this.#submissions[queue], wide(baseLow, baseHigh), size * Command.size);
		this.#submissions[queue] = window;
		window?.copyOut(at * Command.size, target, 0, Command.size);
		return window !== undefined;
	}

	/**
	 * Puts an entry at the tail of a completion queue, where there is room.
	 * @param from - submission queue
	 */
	post(queue: number, completions: Completion, from: number, head: number, id: number, status: number, result: number) {
		const {baseLow, baseHigh, size, tail, phase} = completions;
		const window = this.#map(this.#completions[queue], wide(baseLow, baseHigh), size * CompletionEntry.size);
		this.#completions[queue] = window;
		if (window === undefined) return false;
		const entry = this.#entry;
		entry.result = result;
		entry.head = head;
		entry.queue = from;
		const at = tail * CompletionEntry.size;
		window.copyIn(at, entry.$bytes, 0, statusOffset);
		// The phase is the last that the driver sees of it.
		window.releaseU32(at + statusOffset, ((((status << 1) | phase) << 16) | id) >>> 0);
		completions.tail = tail + 1 === size ? 0 : tail + 1;
		if (completions.tail === 0) completions.phase = 1 - phase;
		return true;
	}

	/** A doorbell in the driver's memory; undefined where that is none. */
	shadow(doorbell: number): Guest<number> | undefined {
		const {shadowLow, shadowHigh} = this.#controller.state;
		this.#shadow = this.#map(this.#shadow, wide(shadowLow, shadowHigh), shadowBytes);
		return this.#shadow?.acquireU32(doorbell * Uint32Array.BYTES_PER_ELEMENT);
	}

	/** Has the driver ring when it moves a doorbell past a value. Then it is looked at again: it may have moved before. */
	setEventIndex(doorbell: number, value: number): void {
		const {eventIndexLow, eventIndexHigh} = this.#controller.state;
		this.#eventIndex = this.#map(this.#eventIndex, wide(eventIndexLow, eventIndexHigh), shadowBytes);
		this.#eventIndex?.releaseU32(doorbell * Uint32Array.BYTES_PER_ELEMENT, value);
		fence();
	}

	/** Gives a doorbell in the driver's memory the value of one that was made anew. */
	setShadow(doorbell: number, value: number): void {
		if (unchecked(this.shadow(doorbell)) !== undefined)
			this.#shadow?.releaseU32(doorbell * Uint32Array.BYTES_PER_ELEMENT, value);
		this.setEventIndex(doorbell, value);
	}

	#map(window: GuestWindow | undefined, gpa: number, length: number): GuestWindow | undefined {
		const isSame = window?.isCurrent === true && window.gpa === gpa && window.length === length;
		return isSame ? window : this.#memory.mapped(gpa, length, pageBytes);
	}
}
