import type {BackServices} from '#devices/device';
import {DiskOperation} from '#devices/storage/disk';
import type {Controller} from './controller.ts';
import type {IoRequest} from './io-request.ts';
import {lineOf} from './nvme-front.ts';
import type {QueuePairs} from './queue-pairs.ts';
import {type Completion, mostQueues, Phase, type Submission} from './state.ts';
import {CommandStatus} from './status.ts';

const wordsOfOne = 4;

/** Tells the driver what has become of commands: of all that end in one turn together. */
export class Completer {
	readonly #controller: Controller;
	readonly #services: BackServices<'pci'>;
	readonly #pairs: QueuePairs;
	/** Queue, id, status and result of each command that is done, and that the driver has not been told of. */
	readonly #done: Uint32Array;
	#count = 0;
	/** What these have moved. */
	readonly #moved = {bytesRead: 0, bytesWritten: 0, reads: 0, writes: 0, mediaErrors: 0};
	/** Completion queues that have got entries. */
	readonly #filled = new Uint8Array(mostQueues);
	#unfetched = 0;
	#unfetchedQueue = 0;
	#isEmptied = false;
	/** A closure for each turn would be garbage. */
	readonly #tellLocked = (): void => this.#tell();

	/** @param most - commands that can be done before the driver is told */
	constructor(controller: Controller, services: BackServices<'pci'>, pairs: QueuePairs, most: number) {
		this.#controller = controller;
		this.#services = services;
		this.#pairs = pairs;
		this.#done = new Uint32Array(wordsOfOne * most);
	}

	add(queue: number, id: number, status: CommandStatus, result: number): void {
		const at = wordsOfOne * this.#count++;
		this.#done[at] = queue;
		this.#done[at + 1] = id;
		this.#done[at + 2] = status;
		this.#done[at + 3] = result;
	}

	/** Counts what a disk has done, for the health log. */
	count({operation, length}: IoRequest, status: CommandStatus): void {
		const moved = this.#moved;
		const isMedia = status === CommandStatus.UNRECOVERED_READ || status === CommandStatus.WRITE_FAULT;
		// What a reset has had given up is no fault of the medium's.
		if (isMedia && this.#controller.isLive) moved.mediaErrors++;
		if (status !== CommandStatus.SUCCESS) return;
		if (operation === DiskOperation.READ) {
			moved.reads++;
			moved.bytesRead += length;
		} else if (operation === DiskOperation.WRITE) {
			moved.writes++;
			moved.bytesWritten += length;
		}
	}

	/** Commands that there was room for are not fetched in this turn. */
	leave(queue: number, count: number): void {
		this.#unfetchedQueue = queue;
		this.#unfetched = count;
	}

	/**
	 * Completes what is done.
	 * @returns true where a queue that is being deleted has nothing in flight any more
	 */
	flush(): boolean {
		if (this.#count === 0 && this.#unfetched === 0) return false;
		this.#isEmptied = false;
		this.#services.locked(this.#tellLocked);
		this.#signal();
		return this.#isEmptied;
	}

	/** Tells of entries that a completion queue has got by another way. */
	tellOf(queue: number): void {
		this.#filled[queue] = 1;
		if (!this.#services.pci.enabled) this.#services.locked(() => this.#driveLine());
		this.#signal();
	}

	/** Under the lock. */
	#tell(): void {
		if (this.#unfetched > 0) this.#pairs.giveBack(this.#unfetchedQueue, this.#unfetched);
		this.#unfetched = 0;
		for (let at = 0; at < wordsOfOne * this.#count; at += wordsOfOne) this.#complete(at);
		this.#count = 0;
		const {state} = this.#controller;
		const moved = this.#moved;
		state.bytesRead += moved.bytesRead;
		state.bytesWritten += moved.bytesWritten;
		state.reads += moved.reads;
		state.writes += moved.writes;
		state.mediaErrors += moved.mediaErrors;
		moved.bytesRead = moved.bytesWritten = moved.reads = moved.writes = moved.mediaErrors = 0;
		if (!this.#services.pci.enabled) this.#driveLine();
	}

	#complete(at: number): void {
		const queue = this.#done[at] as number;
		const status = this.#done[at + 2] as CommandStatus;
		const filled = this.#pairs.complete(queue, this.#done[at + 1] as number, status, this.#done[at + 3] as number);
		if (filled !== undefined) this.#filled[filled] = 1;
		const {phase, inFlight} = this.#controller.submissions[queue] as Submission;
		if (phase === Phase.DELETING && inFlight === 0) this.#isEmptied = true;
	}

	/** One message for all that a completion queue has got. */
	#signal(): void {
		for (let queue = 0; queue <= this.#controller.ioQueues; queue++) {
			if (this.#filled[queue] === 0) continue;
			this.#filled[queue] = 0;
			const {interrupts, vector} = this.#controller.completions[queue] as Completion;
			if (interrupts !== 0) this.#services.pci.signal(vector);
		}
	}

	/** Under the lock, where the driver has no messages: the level falls when it has taken all. */
	#driveLine(): void {
		for (let queue = 0; queue <= this.#controller.ioQueues; queue++)
			if (this.#filled[queue] === 1) this.#pairs.watchHead(queue);
		lineOf(this.#services).setLevel(this.#controller.isLineUp);
	}
}
