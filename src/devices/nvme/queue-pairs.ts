import type {GuestMemory} from '#devices/guest-memory';
import {below} from '#support/trust';
import {type Controller, distance, headDoorbell, roomIn, tailDoorbell} from './controller.ts';
import {type AsyncEvent, AsyncEvents, errorPage} from './events.ts';
import {QueueMemory} from './queue-memory.ts';
import {type Completion, Phase, type Submission} from './state.ts';
import {type CommandStatus, statusField} from './status.ts';

/** Commands of one queue that are fetched in one turn. */
export const turnCommands = 64;

/**
 * The queues as one worker serves them: how far driver and controller have come, and room for completions. A command is fetched only
 * when its completion has an entry for itself, so that what is done can always be told. All but {@link fetch} is for use under the
 * device's lock.
 */
export class QueuePairs {
	readonly #controller: Controller;
	readonly #memory: QueueMemory;
	/** There is more to do that nobody tells of. */
	again = false;
	/** An event is to be told of. */
	hasRaised = false;

	constructor(controller: Controller, memory: GuestMemory) {
		this.#controller = controller;
		this.#memory = new QueueMemory(memory, controller);
	}

	/**
	 * Looks at a queue's doorbells.
	 * @param most - commands that there is room for
	 * @returns number of commands to fetch, from the head on
	 */
	take(queue: number, most: number): number {
		this.again = false;
		const submissions = this.#controller.submissions[queue] as Submission;
		if (submissions.phase === Phase.OFF) this.#refuse(tailDoorbell(queue));
		if (submissions.phase !== Phase.ON) return 0;
		this.#moveTail(queue, submissions);
		const pending = distance(submissions.head, submissions.tail, submissions.size);
		const wanted = Math.min(pending, most, turnCommands);
		const granted = wanted === 0 ? 0 : this.#reserve(submissions.completions, wanted);
		submissions.inFlight += granted;
		if (granted === turnCommands && pending > granted) this.again = true;
		if (granted === pending && this.#isShadowed(queue)) {
			this.#memory.setEventIndex(tailDoorbell(queue), submissions.tail);
			this.#moveTail(queue, submissions);
			if (distance(submissions.head, submissions.tail, submissions.size) !== pending) this.again = true;
		}
		return granted;
	}

	/** Gives back room of commands that are not fetched in this turn. */
	giveBack(queue: number, count: number): void {
		const submissions = this.#controller.submissions[queue] as Submission;
		submissions.inFlight -= count;
		(this.#controller.completions[submissions.completions] as Completion).reserved -= count;
	}

	/** Room for one more completion that was not had by fetching; false while there is none, and whoever makes some tells. */
	reserveOne(queue: number): boolean {
		const submissions = this.#controller.submissions[queue] as Submission;
		if (this.#reserve(submissions.completions, 1) === 0) return false;
		submissions.inFlight++;
		return true;
	}

	/** Copies the command at the head of a queue, and goes on to the next. For the worker that has the queue. */
	fetch(queue: number, target: Uint8Array): boolean {
		const submissions = this.#controller.submissions[queue] as Submission;
		const {head, size} = submissions;
		if (!this.#memory.fetch(queue, submissions, head, target)) return false;
		submissions.head = head + 1 === size ? 0 : head + 1;
		return true;
	}

	/**
	 * Completes a command.
	 * @returns the completion queue that has got an entry
	 */
	complete(queue: number, id: number, status: CommandStatus, result: number): number | undefined {
		const submissions = this.#controller.submissions[queue] as Submission;
		const number = submissions.completions;
		const completions = this.#controller.completions[number] as Completion;
		submissions.inFlight--;
		completions.reserved--;
		// After a reset nobody waits.
		if (!this.#controller.isLive) return undefined;
		if (this.#memory.post(number, completions, queue, submissions.head, id, statusField(status), result)) return number;
		this.#controller.fail();
		return undefined;
	}

	/** Looks how far the driver has taken completions; true where somebody waits for room, and there is some. */
	moveHead(queue: number): boolean {
		const completions = this.#controller.completions[queue] as Completion;
		if (completions.on === 0) {
			this.#refuse(headDoorbell(queue));
			return false;
		}
		this.#readHead(queue, completions);
		if (completions.isAwaited === 0 || roomIn(completions) === 0) return false;
		completions.isAwaited = 0;
		return true;
	}

	/** Has the driver ring for each entry that it takes, where its interrupt is a level. */
	watchHead(queue: number): void {
		const completions = this.#controller.completions[queue] as Completion;
		if (completions.on !== 0) this.#arm(queue, completions);
	}

	/** Doorbells of a new queue begin at 0, wherever they are. */
	beginDoorbell(doorbell: number): void {
		if (this.#controller.hasShadow) this.#memory.setShadow(doorbell, 0);
	}

	/** Doorbells are in these pages from now on, and go on from what has been rung, which the queues' workers may not have seen. */
	beginShadow(doorbells: number, eventIndices: number): void {
		const {state, submissions, completions} = this.#controller;
		for (const [queue, each] of submissions.entries())
			if (queue > 0 && each.phase !== Phase.OFF) this.#moveTail(queue, each);
		for (const [queue, each] of completions.entries()) if (queue > 0 && each.on !== 0) this.#readHead(queue, each);
		state.shadowLow = doorbells % 2 ** 32;
		state.shadowHigh = Math.floor(doorbells / 2 ** 32);
		state.eventIndexLow = eventIndices % 2 ** 32;
		state.eventIndexHigh = Math.floor(eventIndices / 2 ** 32);
		for (const [queue, {phase, tail}] of submissions.entries())
			if (queue > 0 && phase !== Phase.OFF) this.#memory.setShadow(tailDoorbell(queue), tail);
		for (const [queue, {on, head}] of completions.entries())
			if (queue > 0 && on !== 0) this.#memory.setShadow(headDoorbell(queue), head);
	}

	#reserve(queue: number, wanted: number): number {
		const completions = this.#controller.completions[queue] as Completion;
		let free = roomIn(completions);
		if (free < wanted) {
			this.#readHead(queue, completions);
			free = roomIn(completions);
		}
		if (free < wanted) {
			// Before the last look, as whoever takes entries looks at it afterwards.
			completions.isAwaited = 1;
			this.#arm(queue, completions);
			free = roomIn(completions);
		}
		const granted = Math.min(wanted, free);
		completions.reserved += granted;
		return granted;
	}

	/** Has the driver ring when it takes the next entry. The head may move meanwhile, up to the tail, which stays under the lock. */
	#arm(queue: number, completions: Completion): void {
		if (!this.#isShadowed(queue)) return;
		do this.#memory.setEventIndex(headDoorbell(queue), completions.head);
		while (this.#readHead(queue, completions));
	}

	#moveTail(queue: number, submissions: Submission): void {
		const doorbell = tailDoorbell(queue);
		const {size, tail} = submissions;
		const rung = this.#read(queue, doorbell, tail);
		if (rung === tail) return;
		if (rung < size) submissions.tail = rung;
		else this.#refuseValue(queue, doorbell, rung, tail);
	}

	/** True where the head has moved. It may move to the tail, and no further. */
	#readHead(queue: number, completions: Completion): boolean {
		const doorbell = headDoorbell(queue);
		const {size, head, tail} = completions;
		const rung = this.#read(queue, doorbell, head);
		if (rung === head) return false;
		if (rung < size && distance(head, rung, size) <= distance(head, tail, size)) {
			completions.head = rung;
			return true;
		}
		this.#refuseValue(queue, doorbell, rung, head);
		return false;
	}

	/** A doorbell of a queue, where the driver has it. @param last - what it was, which it stays where it cannot be read */
	#read(queue: number, doorbell: number, last: number): number {
		if (!this.#isShadowed(queue)) return Atomics.load(this.#controller.state.doorbells, doorbell);
		const value = this.#memory.shadow(doorbell);
		if (value !== undefined) return below(value, 2 ** 32) ?? last;
		this.#controller.fail();
		return last;
	}

	/** The admin queue's doorbells are the controller's, whatever is in memory (NVM Express Base 2.0, B.5). */
	#isShadowed(queue: number): boolean {
		return queue > 0 && this.#controller.hasShadow;
	}

	/** A doorbell has a value that cannot be: it has the last one that could. */
	#refuseValue(queue: number, doorbell: number, value: number, last: number): void {
		this.raise(AsyncEvents.DOORBELL_VALUE, queue);
		if (!this.#isShadowed(queue)) Atomics.compareExchange(this.#controller.state.doorbells, doorbell, value, last);
	}

	/** There is no such queue. */
	#refuse(doorbell: number): void {
		if (Atomics.exchange(this.#controller.state.doorbells, doorbell, 0) === 0) return;
		this.raise(AsyncEvents.DOORBELL_REGISTER, doorbell >>> 1);
	}

	/** The driver is to be told of an event, once until it has looked. */
	raise({bit, logPage}: AsyncEvent, queue: number): void {
		const {state} = this.#controller;
		if ((state.events & bit) !== 0) return;
		state.events |= bit;
		this.hasRaised = true;
		if (logPage !== errorPage) return;
		state.errors++;
		state.errorQueue = queue;
	}
}
