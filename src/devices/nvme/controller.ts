import {defaultFeatures} from './features.ts';
import type {NvmeConfig} from './handle.ts';
import {Configuration, mostAdminEntries, mostQueueEntries, Shutdown, Status, shutdownShift} from './registers.ts';
import {
	AbortPhase,
	AbortState,
	type Completion,
	CompletionState,
	type ControllerState,
	leftWords,
	mostEventRequests,
	mostLeft,
	Phase,
	type Submission,
	SubmissionState,
} from './state.ts';

/** Numbers of doorbells: the tail of a submission queue, and the head of a completion queue. */
export const tailDoorbell = (queue: number): number => 2 * queue;
export const headDoorbell = (queue: number): number => 2 * queue + 1;

/** An address in two words. */
export const wide = (low: number, high: number): number => high * 2 ** 32 + low;

/** What a reset by the driver clears (NVM Express Base 2.0, 3.7.2): all but the admin queue's registers, and what is of the device. */
const sessionFields = [
	'configuration',
	'status',
	'shutdown',
	'resetting',
	'interruptMask',
	'shadowLow',
	'shadowHigh',
	'eventIndexLow',
	'eventIndexHigh',
	'events',
	'unreadEvents',
	'changedNamespaces',
	'leftCount',
] as const;

/** Number of entries from `from` up to `to` in a ring. */
export const distance = (from: number, to: number, size: number): number => (to >= from ? to - from : to + size - from);

/**
 * A controller over shared state, as every thread has it. What it changes is changed under the device's lock.
 */
export class Controller {
	readonly state: ControllerState;
	readonly submissions: readonly Submission[];
	readonly completions: readonly Completion[];
	/** I/O queue pairs that the driver may have. */
	readonly ioQueues: number;

	constructor({queues}: Pick<NvmeConfig, 'queues'>, state: ControllerState) {
		this.state = state;
		this.ioQueues = queues;
		this.submissions = state.submissions;
		this.completions = state.completions;
	}

	get isEnabled(): boolean {
		return (this.state.configuration & Configuration.ENABLE) !== 0;
	}

	/** Its queues are served. */
	get isLive(): boolean {
		return this.state.resetting === 0 && (this.state.status & (Status.READY | Status.FATAL)) === Status.READY;
	}

	/** Value of Controller Status. */
	get status(): number {
		return (this.state.status & (Status.READY | Status.FATAL)) | ((this.state.shutdown & 3) << shutdownShift);
	}

	/** The driver has doorbells in memory of its own. */
	get hasShadow(): boolean {
		return (this.state.shadowLow | this.state.shadowHigh) !== 0;
	}

	/** Nothing is served any more until the driver resets it. */
	fail(): void {
		this.state.status |= Status.FATAL;
	}

	/** Becomes ready with the admin queue that the registers name, or fails. */
	enable(): void {
		const {state} = this;
		const [submissions, completions] = [(state.adminSizes & 0xfff) + 1, ((state.adminSizes >>> 16) & 0xfff) + 1];
		const isPossible =
			(state.configuration & Configuration.CHOICES) === 0 &&
			isQueueSize(submissions, mostAdminEntries) &&
			isQueueSize(completions, mostAdminEntries);
		if (!isPossible) {
			this.fail();
			return;
		}
		const completion = {size: completions, low: state.adminCompletionLow, high: state.adminCompletionHigh};
		this.makeCompletions(0, {...completion, interrupts: 1, vector: 0});
		this.makeSubmissions(0, {
			size: submissions,
			low: state.adminSubmissionLow,
			high: state.adminSubmissionHigh,
			completions: 0,
		});
		state.status = Status.READY;
	}

	makeCompletions(queue: number, {size, low, high, interrupts, vector}: NewCompletions): void {
		this.deleteCompletions(queue);
		const made = this.completions[queue] as Completion;
		Object.assign(made, {on: 1, size, baseLow: low, baseHigh: high, phase: 1, interrupts, vector});
	}

	makeSubmissions(queue: number, {size, low, high, completions}: NewSubmissions): void {
		this.deleteSubmissions(queue);
		const made = this.submissions[queue] as Submission;
		Object.assign(made, {phase: Phase.ON, size, baseLow: low, baseHigh: high, completions});
	}

	deleteCompletions(queue: number): void {
		CompletionState.reset(this.completions[queue] as Completion);
		Atomics.store(this.state.doorbells, headDoorbell(queue), 0);
	}

	deleteSubmissions(queue: number): void {
		SubmissionState.reset(this.submissions[queue] as Submission);
		Atomics.store(this.state.doorbells, tailDoorbell(queue), 0);
	}

	/** Values of registers at power-on that are not zero. */
	powerOn(): void {
		this.state.features.set(defaultFeatures);
	}

	/** A reset by the driver is done: nothing of before is in flight. */
	reset(): void {
		const {state} = this;
		for (const field of sessionFields) state[field] = 0;
		this.#forgetQueues();
		state.uncoalesced.fill(0);
		this.powerOn();
	}

	#forgetQueues(): void {
		this.state.leftCount = 0;
		for (const each of this.submissions) SubmissionState.reset(each);
		for (const each of this.completions) CompletionState.reset(each);
		this.state.doorbells.fill(0);
		this.state.eventRequests.fill(0);
		this.state.openRequests = 0;
		for (const each of this.state.aborts) AbortState.reset(each);
	}

	/** A snapshot is anybody's: queues that cannot be are not served. Nothing is in flight but what is left for later. */
	restored(): void {
		for (const each of this.submissions) each.inFlight = 0;
		for (const each of this.completions) each.reserved = 0;
		const {openRequests, shutdown, status} = this.state;
		const isPossible =
			this.#countLeft() &&
			this.submissions.every((each, queue) => this.#isSubmissions(each, queue)) &&
			this.completions.every(isCompletions) &&
			openRequests <= mostEventRequests &&
			this.state.aborts.every(({phase}) => phase <= AbortPhase.LOOKED) &&
			shutdown <= Shutdown.COMPLETE &&
			(this.isEnabled || (status & Status.READY) === 0);
		if (isPossible) return;
		this.#forgetQueues();
		this.fail();
	}

	/** Level of the interrupt where the driver has no messages: entries that it has not taken, of a vector that it has not masked. */
	get isLineUp(): boolean {
		for (const {on, interrupts, head, tail, vector} of this.completions)
			if (on !== 0 && interrupts !== 0 && head !== tail && (this.state.interruptMask & (1 << vector)) === 0)
				return true;
		return false;
	}

	/** Counts what is left for later as in flight; false where that cannot be. */
	#countLeft(): boolean {
		const {left, leftCount} = this.state;
		if (leftCount > mostLeft) return false;
		for (let index = 0; index < leftCount; index++) {
			const queue = left[leftWords * index] as number;
			const submissions = this.submissions[queue];
			const completions = this.completions[submissions?.completions ?? -1];
			if (queue === 0 || submissions === undefined || submissions.phase === Phase.OFF) return false;
			if (completions === undefined || roomIn(completions) <= 0) return false;
			submissions.inFlight++;
			completions.reserved++;
		}
		return true;
	}

	#isSubmissions({phase, size, head, tail, completions}: Submission, queue: number): boolean {
		if (phase === Phase.OFF) return true;
		const isPlaced = queue <= this.ioQueues && (phase === Phase.ON || (phase === Phase.DELETING && queue > 0));
		const most = queue === 0 ? mostAdminEntries : mostQueueEntries;
		const isOnQueue = (this.completions[completions]?.on ?? 0) !== 0 && (completions === 0) === (queue === 0);
		return isPlaced && isQueueSize(size, most) && head < size && tail < size && isOnQueue;
	}
}

/** Entries that nobody has; one stays empty, so that full differs from empty. */
export const roomIn = ({size, head, tail, reserved}: Completion): number =>
	size - 1 - distance(head, tail, size) - reserved;

/** A completion queue that is to be. */
export interface NewCompletions {
	readonly size: number;
	readonly low: number;
	readonly high: number;
	readonly interrupts: number;
	readonly vector: number;
}

/** A submission queue that is to be. */
export interface NewSubmissions extends Pick<NewCompletions, 'size' | 'low' | 'high'> {
	readonly completions: number;
}

/** A queue of one entry could never have any (3.3.1.2). */
export const isQueueSize = (size: number, most: number): boolean => size >= 2 && size <= most;

function isCompletions({on, size, head, tail, phase}: Completion, queue: number): boolean {
	if (on === 0) return true;
	const most = queue === 0 ? mostAdminEntries : mostQueueEntries;
	return isQueueSize(size, most) && head < size && tail < size && phase <= 1;
}
