import type {BackServices} from '#devices/device';
import {IoVectors} from '#devices/guest-memory';
import {asAddress, guest} from '#support/trust';
import type {FieldsView} from '#support/wire';
import {type Controller, headDoorbell, isQueueSize, tailDoorbell, wide} from './controller.ts';
import {type DataPointer, mostVectors} from './data-pointer.ts';
import {AsyncEvents, eventsOf} from './events.ts';
import {defaultFeatures, FeaturePlace, featurePlace, isTemperatureWrong, OwnFeature, setFeature} from './features.ts';
import type {NvmeConfig} from './handle.ts';
import {Identify} from './identify.ts';
import {Command, CompletionEntry} from './layout.ts';
import {LogPages} from './log-pages.ts';
import type {Namespaces} from './namespaces.ts';
import {vectorNames} from './nvme-front.ts';
import {AdminOpcode} from './opcodes.ts';
import type {QueuePairs} from './queue-pairs.ts';
import {Configuration, entrySizes, mostQueueEntries, pageBytes} from './registers.ts';
import {AbortPhase, mostEventRequests, Phase, type Submission} from './state.ts';
import {CommandStatus} from './status.ts';

const contiguous = 0x1;
const interruptsBit = 0x2;
/** Of Set Features: keep the value over resets. */
const saveBit = 0x8000_0000;
/** What Get Features asks for (5.15). */
const Select = {CURRENT: 0, DEFAULT: 1, SAVED: 2, CAPABILITIES: 3} as const;
const changeable = 0x4;
/** Of Get Log Page: leave the events that the page tells of unread. */
const retainEvents = 0x8000;
/** Of Abort's completion. */
export const notAborted = 1;

type CommandView = FieldsView<typeof Command.fields>;

/** Parts of the {@link AdminCommands}. */
export interface AdminParts {
	readonly config: NvmeConfig;
	readonly controller: Controller;
	readonly services: BackServices<'pci'>;
	readonly namespaces: Namespaces;
	readonly pairs: QueuePairs;
	readonly pointer: DataPointer;
}

/** Performs the commands of the admin queue. */
export class AdminCommands {
	/** First dword of the completion of the command that was performed last. */
	result = 0;
	/** That one has turned the volatile write cache off, and is done when what was in it is durable. */
	hasCacheToFlush = false;
	readonly #parts: AdminParts;
	readonly #identify: Identify;
	readonly #logs: LogPages;
	readonly #vectors = new IoVectors(mostVectors);
	/** Requests for events that were aborted, whose ids are still theirs. */
	#aborted: number[] = [];

	constructor(parts: AdminParts) {
		this.#parts = parts;
		this.#identify = new Identify(parts.config, parts.namespaces);
		this.#logs = new LogPages(parts.controller.state);
	}

	/** Ids of commands that are put off: others may not have them. */
	parkedIds(): readonly number[] {
		const {state, submissions} = this.#parts.controller;
		const deleters = submissions.filter(({phase}) => phase === Phase.DELETING).map(({deleter}) => deleter);
		const aborts = state.aborts.filter(({phase}) => phase !== AbortPhase.NONE).map(({id}) => id);
		const events = state.eventRequests.subarray(0, state.openRequests);
		return [...events, ...deleters, ...aborts].map((id) => id & 0xffff);
	}

	/** @returns the status; undefined where the command is put off */
	perform(command: CommandView): CommandStatus | undefined {
		this.result = 0;
		this.hasCacheToFlush = false;
		const {locked} = this.#parts.services;
		switch (command.opcode) {
			case AdminOpcode.IDENTIFY:
				return this.#send(command, this.#identify.data(command.dword10 & 0xff, command.nsid, command.dword11 >>> 24));
			case AdminOpcode.LOG_PAGE:
				return this.#readLog(command);
			case AdminOpcode.SET_FEATURES:
				return locked(() => this.#setFeature(command));
			case AdminOpcode.GET_FEATURES:
				return this.#getFeature(command);
			case AdminOpcode.CREATE_COMPLETIONS:
				return locked(() => this.#createCompletions(command));
			case AdminOpcode.CREATE_SUBMISSIONS:
				return locked(() => this.#createSubmissions(command));
			case AdminOpcode.DELETE_COMPLETIONS:
				return locked(() => this.#deleteCompletions(command.dword10 & 0xffff));
			case AdminOpcode.DELETE_SUBMISSIONS:
				return locked(() => this.#deleteSubmissions(command.dword10 & 0xffff, command.id));
			case AdminOpcode.ABORT:
				return locked(() => this.#abort(command));
			case AdminOpcode.EVENT_REQUEST:
				return locked(() => this.#requestEvent(command.id));
			case AdminOpcode.DOORBELL_BUFFER:
				return locked(() => this.#useShadow(command));
			default:
				return CommandStatus.INVALID_OPCODE;
		}
	}

	/**
	 * Completes what was put off, where that can be: deletions of queues of which nothing is in flight any more, aborts whose commands were looked for,
	 * and requests for events that have come. Under the device's lock.
	 * @returns ids of the commands
	 */
	settle(): readonly number[] {
		const {controller, pairs} = this.#parts;
		const told = this.#aborted;
		this.#aborted = [];
		const complete = (id: number, result: number) => {
			pairs.complete(0, id, CommandStatus.SUCCESS, result);
			told.push(id);
		};
		for (const [queue, {phase, inFlight, deleter}] of controller.submissions.entries()) {
			if (phase !== Phase.DELETING || inFlight > 0 || !pairs.reserveOne(0)) continue;
			controller.deleteSubmissions(queue);
			complete(deleter & 0xffff, 0);
		}
		const {state} = controller;
		for (const abort of state.aborts) {
			if (abort.phase !== AbortPhase.LOOKED || !pairs.reserveOne(0)) continue;
			abort.phase = AbortPhase.NONE;
			complete(abort.id & 0xffff, abort.result);
		}
		for (const {bit, result, logPage, wanted} of Object.values(AsyncEvents)) {
			if ((state.events & bit) === 0) continue;
			const isWanted = wanted === undefined || ((state.features[FeaturePlace.EVENTS] ?? 0) & wanted) !== 0;
			if (!isWanted) state.events &= ~bit;
			else if ((state.unreadEvents & eventsOf(logPage)) === 0 && state.openRequests > 0 && pairs.reserveOne(0)) {
				state.events &= ~bit;
				state.unreadEvents |= bit;
				state.openRequests--;
				complete((state.eventRequests[state.openRequests] ?? 0) & 0xffff, result);
			}
		}
		return told;
	}

	/** Sends data to the driver's buffer, as many bytes as there are. */
	#send(command: CommandView, data: Uint8Array | CommandStatus): CommandStatus {
		if (typeof data === 'number') return data;
		const wrong = this.#parts.pointer.find(command, data.length);
		if (wrong !== CommandStatus.SUCCESS) return wrong;
		if (!this.#parts.pointer.pin('write', this.#vectors)) return CommandStatus.DATA_TRANSFER;
		this.#vectors.copyIn(0, data, 0, data.length);
		this.#vectors.release();
		return CommandStatus.SUCCESS;
	}

	#readLog(command: CommandView): CommandStatus {
		const {dword10, dword11, dword12, dword13} = command;
		const page = dword10 & 0xff;
		const length = ((dword11 & 0xffff) * 0x1_0000 + (dword10 >>> 16) + 1) * 4;
		const log = this.#logs.page(page);
		if (log === undefined) return CommandStatus.LOG_PAGE;
		const offset = wide(dword12, dword13);
		if (offset % 4 !== 0 || offset > log.length) return CommandStatus.INVALID_FIELD;
		const status = this.#send(command, log.subarray(offset, Math.min(log.length, offset + length)));
		if (status === CommandStatus.SUCCESS && (dword10 & retainEvents) === 0)
			this.#parts.services.locked(() => {
				this.#parts.controller.state.unreadEvents &= ~eventsOf(page);
				this.#logs.wasRead(page);
			});
		return status;
	}

	#setFeature({dword10, dword11}: CommandView): CommandStatus {
		const {state, ioQueues, submissions, completions} = this.#parts.controller;
		const id = dword10 & 0xff;
		if ((dword10 & saveBit) !== 0) return CommandStatus.NOT_SAVEABLE;
		switch (id) {
			case OwnFeature.QUEUES: {
				const isLate = submissions.some(({phase}, queue) => queue > 0 && phase !== Phase.OFF);
				if (isLate || completions.some(({on}, queue) => queue > 0 && on !== 0)) return CommandStatus.COMMAND_SEQUENCE;
				if ((dword11 & 0xffff) === 0xffff || dword11 >>> 16 === 0xffff) return CommandStatus.INVALID_FIELD;
				this.result = ioQueues - 1 + (ioQueues - 1) * 0x1_0000;
				return CommandStatus.SUCCESS;
			}
			case OwnFeature.VECTOR: {
				const vector = dword11 & 0xffff;
				if (vector >= vectorNames.length) return CommandStatus.INVALID_FIELD;
				const [word, bit] = [vector >>> 5, 1 << (vector & 31)];
				const others = (state.uncoalesced[word] ?? 0) & ~bit;
				state.uncoalesced[word] = (dword11 & 0x1_0000) !== 0 ? others | bit : others;
				return CommandStatus.SUCCESS;
			}
			default: {
				const place = featurePlace(id, dword11);
				if (place === undefined) return CommandStatus.INVALID_FIELD;
				const was = state.features[FeaturePlace.WRITE_CACHE];
				const wasWrong = isTemperatureWrong(state.features);
				const status = setFeature(state.features, place, dword11);
				if (!wasWrong && isTemperatureWrong(state.features)) this.#parts.pairs.raise(AsyncEvents.TEMPERATURE, 0);
				this.hasCacheToFlush = was !== 0 && state.features[FeaturePlace.WRITE_CACHE] === 0;
				return status;
			}
		}
	}

	#getFeature({dword10, dword11}: CommandView): CommandStatus {
		const {state, ioQueues} = this.#parts.controller;
		const [id, select] = [dword10 & 0xff, (dword10 >>> 8) & 0x7];
		if (select > Select.CAPABILITIES) return CommandStatus.INVALID_FIELD;
		const isOwn = id === OwnFeature.QUEUES || id === OwnFeature.VECTOR;
		const place = featurePlace(id, dword11);
		if (!isOwn && place === undefined) return CommandStatus.INVALID_FIELD;
		if (select === Select.CAPABILITIES) this.result = changeable;
		else if (id === OwnFeature.QUEUES) this.result = ioQueues - 1 + (ioQueues - 1) * 0x1_0000;
		else if (id === OwnFeature.VECTOR) {
			const vector = dword11 & 0xffff;
			if (vector >= vectorNames.length) return CommandStatus.INVALID_FIELD;
			const isSet = ((state.uncoalesced[vector >>> 5] ?? 0) >>> (vector & 31)) & 1;
			this.result = vector + (select === Select.CURRENT ? isSet : 0) * 0x1_0000;
		} else {
			const values = select === Select.CURRENT ? state.features : defaultFeatures;
			this.result = values[place as number] ?? 0;
		}
		return CommandStatus.SUCCESS;
	}

	#createCompletions({prp1, dword10, dword11}: CommandView): CommandStatus {
		const {controller, pairs} = this.#parts;
		const [queue, size, vector] = [dword10 & 0xffff, (dword10 >>> 16) + 1, dword11 >>> 16];
		if (!this.#isIoQueue(queue) || controller.completions[queue]?.on !== 0) return CommandStatus.QUEUE_ID;
		const wrong = this.#wrongPlace(prp1, size, CompletionEntry.size, dword11);
		if (wrong !== undefined) return wrong;
		if (vector >= vectorNames.length) return CommandStatus.INTERRUPT_VECTOR;
		const interrupts = (dword11 & interruptsBit) === 0 ? 0 : 1;
		controller.makeCompletions(queue, {
			size,
			low: prp1 % 2 ** 32,
			high: Math.floor(prp1 / 2 ** 32),
			interrupts,
			vector,
		});
		pairs.beginDoorbell(headDoorbell(queue));
		return CommandStatus.SUCCESS;
	}

	#createSubmissions({prp1, dword10, dword11}: CommandView): CommandStatus {
		const {controller, pairs} = this.#parts;
		const [queue, size, completions] = [dword10 & 0xffff, (dword10 >>> 16) + 1, dword11 >>> 16];
		if (!this.#isIoQueue(queue) || controller.submissions[queue]?.phase !== Phase.OFF) return CommandStatus.QUEUE_ID;
		if (!this.#isIoQueue(completions)) return CommandStatus.QUEUE_ID;
		if (controller.completions[completions]?.on === 0) return CommandStatus.QUEUE_COMPLETION;
		const wrong = this.#wrongPlace(prp1, size, Command.size, dword11);
		if (wrong !== undefined) return wrong;
		controller.makeSubmissions(queue, {size, low: prp1 % 2 ** 32, high: Math.floor(prp1 / 2 ** 32), completions});
		pairs.beginDoorbell(tailDoorbell(queue));
		return CommandStatus.SUCCESS;
	}

	/** Place and size of a queue that is to be. */
	#wrongPlace(prp1: number, size: number, entry: number, dword11: number): CommandStatus | undefined {
		const sizes =
			this.#parts.controller.state.configuration & (Configuration.SUBMISSION_ENTRY | Configuration.COMPLETION_ENTRY);
		if (!isQueueSize(size, mostQueueEntries) || sizes !== entrySizes) return CommandStatus.QUEUE_SIZE;
		if ((dword11 & contiguous) === 0) return CommandStatus.INVALID_FIELD;
		const at = asAddress(guest(prp1), pageBytes);
		if (at === undefined) return CommandStatus.PRP_OFFSET;
		return this.#parts.services.memory.contains(at, size * entry) ? undefined : CommandStatus.DATA_TRANSFER;
	}

	#deleteCompletions(queue: number): CommandStatus {
		const {completions, submissions} = this.#parts.controller;
		if (!this.#isIoQueue(queue) || completions[queue]?.on === 0) return CommandStatus.QUEUE_ID;
		if (submissions.some((each) => each.phase !== Phase.OFF && each.completions === queue))
			return CommandStatus.QUEUE_DELETION;
		this.#parts.controller.deleteCompletions(queue);
		return CommandStatus.SUCCESS;
	}

	/** What is in flight of the queue is completed first (5.9). */
	#deleteSubmissions(queue: number, id: number): CommandStatus | undefined {
		const submissions = this.#parts.controller.submissions[queue] as Submission;
		if (!this.#isIoQueue(queue) || submissions.phase !== Phase.ON) return CommandStatus.QUEUE_ID;
		if (submissions.inFlight === 0) {
			this.#parts.controller.deleteSubmissions(queue);
			return CommandStatus.SUCCESS;
		}
		submissions.phase = Phase.DELETING;
		submissions.deleter = id;
		this.#parts.pairs.giveBack(0, 1);
		return undefined;
	}

	/** Disks are never asked to give up what they have: requests for events are aborted, and commands that wait for something else. */
	#abort({dword10, id: own}: CommandView): CommandStatus | undefined {
		const {controller, pairs, services} = this.#parts;
		const {state} = controller;
		const [queue, id] = [dword10 & 0xffff, dword10 >>> 16];
		this.result = notAborted;
		if (this.#isIoQueue(queue)) {
			const free = state.aborts.find(({phase}) => phase === AbortPhase.NONE);
			if (free === undefined) return CommandStatus.ABORT_LIMIT;
			Object.assign(free, {phase: AbortPhase.ASKED, command: dword10, id: own, result: notAborted});
			pairs.giveBack(0, 1);
			services.notifyBack();
			return undefined;
		}
		const index = queue === 0 ? state.eventRequests.subarray(0, state.openRequests).indexOf(id) : -1;
		if (index < 0 || !pairs.reserveOne(0)) return CommandStatus.SUCCESS;
		state.eventRequests.copyWithin(index, index + 1);
		state.openRequests--;
		pairs.complete(0, id, CommandStatus.ABORT_REQUESTED, 0);
		this.#aborted.push(id);
		this.result = 0;
		return CommandStatus.SUCCESS;
	}

	#requestEvent(id: number): CommandStatus | undefined {
		const {state} = this.#parts.controller;
		if (state.openRequests >= mostEventRequests) return CommandStatus.EVENT_LIMIT;
		state.eventRequests[state.openRequests++] = id;
		this.#parts.pairs.giveBack(0, 1);
		return undefined;
	}

	/** Doorbell Buffer Config (5.8). */
	#useShadow({prp1, prp2}: CommandView): CommandStatus {
		const {pairs, services} = this.#parts;
		for (const entry of [prp1, prp2]) {
			const at = asAddress(guest(entry), pageBytes);
			if (at === undefined || at === 0) return CommandStatus.INVALID_FIELD;
			if (!services.memory.contains(at, pageBytes)) return CommandStatus.DATA_TRANSFER;
		}
		pairs.beginShadow(prp1, prp2);
		return CommandStatus.SUCCESS;
	}

	#isIoQueue(queue: number): boolean {
		return queue >= 1 && queue <= this.#parts.controller.ioQueues;
	}
}
