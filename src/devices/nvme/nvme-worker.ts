import type {BackServices} from '#devices/device';
import {mayHold} from '#devices/storage/backend';
import {AdminCommands, notAborted} from './admin-commands.ts';
import {CommandIds} from './command-ids.ts';
import {Completer} from './completer.ts';
import type {Controller} from './controller.ts';
import {DataPointer, mostTransferBytes} from './data-pointer.ts';
import {AsyncEvents} from './events.ts';
import type {NvmeConfig} from './handle.ts';
import {IoCommands} from './io-commands.ts';
import {IoRequest, type RequestOwner} from './io-request.ts';
import {Command, fusedBits, pointerShift} from './layout.ts';
import type {Namespaces} from './namespaces.ts';
import {lineOf} from './nvme-front.ts';
import {QueuePairs, turnCommands} from './queue-pairs.ts';
import {Shutdown} from './registers.ts';
import {AbortPhase, leftWords, mostLeft, Phase} from './state.ts';
import {CommandStatus} from './status.ts';

/** Commands of one worker that disks have at once. */
const mostInFlight = 256;
/** Most bytes that are moved in one turn of a queue, and what a command counts at least. */
const turnBytes = 16 * mostTransferBytes;
const commandBytes = turnBytes / turnCommands;
/** Completions that can come before the driver is told of them together. */
const mostFinished = mostInFlight + 2 * turnCommands;
/** Number of the queue of what no driver has asked for. */
const noQueue = -1;

/** Serves those queues of a controller that one worker has. The first has the admin queue too. */
export class NvmeWorker implements RequestOwner {
	readonly #controller: Controller;
	readonly #services: BackServices<'pci'>;
	readonly #namespaces: Namespaces;
	readonly #pairs: QueuePairs;
	readonly #io: IoCommands;
	readonly #admin: AdminCommands | undefined;
	readonly #completer: Completer;
	readonly #command = Command.on(new ArrayBuffer(Command.size));
	readonly #ids = new CommandIds();
	/** All requests that there are, those to be used again, and how many disks have. */
	readonly #all: IoRequest[] = [];
	readonly #free: IoRequest[] = [];
	#inFlight = 0;
	/** How many they may have. */
	#most = mostInFlight;
	/** Requests may come to be held, and those that are: to be tried again when the machine goes on. */
	#holds = false;
	#held: IoRequest[] = [];
	/** Queues whose commands wait for a request to be free. */
	readonly #starved = new Set<number>();
	#isFlushPlanned = false;
	#isServing = false;
	#isRunning = false;
	#isShuttingDown = false;
	/** Requests of the machine's owner that were seen: see the state. */
	#measures = 0;
	#emptied: (() => void) | undefined;
	/** Arguments and results of what is done under the lock: a closure for each turn would be garbage. */
	#queue = 0;
	#granted = 0;
	#hasRoom = false;
	readonly #takeLocked = (): void => this.#take();
	readonly #flushPlanned = (): void => {
		this.#isFlushPlanned = false;
		this.#flush();
	};

	constructor(config: NvmeConfig, controller: Controller, services: BackServices<'pci'>, namespaces: Namespaces) {
		this.#controller = controller;
		this.#services = services;
		const pointer = new DataPointer(services.memory);
		const pairs = new QueuePairs(controller, services.memory);
		this.#namespaces = namespaces;
		this.#pairs = pairs;
		this.#completer = new Completer(controller, services, pairs, mostFinished);
		this.#io = new IoCommands(namespaces, pointer, controller.state);
		if (services.worker.index === 0)
			this.#admin = new AdminCommands({config, controller, services, namespaces, pairs, pointer});
		this.follow(config);
	}

	/** Of its disks, which are others by now. While nothing is in flight. */
	follow({namespaces}: NvmeConfig): void {
		this.#holds = namespaces.some(({policy = {}}) => mayHold(policy));
		this.#most = this.#holds ? Math.floor(mostLeft / this.#services.worker.count) : mostInFlight;
	}

	start(): void {
		this.#isRunning = true;
		this.#services.locked(() => {
			this.#namespaces.start();
			if (this.#admin !== undefined && this.#namespaces.startTelling()) this.#raiseNamespaces();
			// A snapshot has the state, and not that its workers were on their way.
			if (this.#controller.state.resetting !== 0) this.#services.restBack();
		});
		this.#ids.clear();
		for (const id of this.#admin?.parkedIds() ?? []) this.#ids.add(0, id);
		this.#followAborts();
		this.#settle();
	}

	/** What is fetched is completed; what is not stays in the driver's queues. */
	async stop(isReset: boolean): Promise<void> {
		this.#isRunning = false;
		this.#namespaces.stop(isReset);
		this.#flush();
		if (this.#inFlight > 0) {
			const {promise, resolve} = Promise.withResolvers<void>();
			this.#emptied = resolve;
			await promise;
		}
		if (this.#held.length > 0) this.#leaveHeld();
		this.#starved.clear();
		await this.#namespaces.settle();
	}

	inFlight(): string | undefined {
		return this.#inFlight === 0 ? undefined : `${this.#inFlight} requests of disks`;
	}

	/** The front or another worker has something for all: room that was awaited, a shutdown, what the admin queue is to tell of. */
	notified(): void {
		const {worker} = this.#services;
		for (let queue = worker.index; queue <= this.#controller.ioQueues; queue += worker.count)
			if (this.#controller.submissions[queue]?.phase === Phase.ON) this.#services.serve(queue);
		this.#followAborts();
		this.#settle();
		const {measures} = this.#controller.state;
		if (this.#admin === undefined || measures === this.#measures) return;
		this.#measures = measures;
		this.#services.track(this.#measure(), 'looking how long disks are');
	}

	queueReady(queue: number): boolean {
		if (!this.#isServed) return false;
		if (this.#controller.state.leftCount > 0) this.#retakeLeft(queue);
		this.#queue = queue;
		this.#services.locked(this.#takeLocked);
		const [granted, hasRoom, isMore] = [this.#granted, this.#hasRoom, this.#pairs.again];
		this.#isServing = true;
		let [fetched, bytes] = [0, 0];
		while (fetched < granted && bytes < turnBytes && this.#fetch(queue)) {
			fetched++;
			bytes += Math.max(commandBytes, this.#begin(queue));
		}
		this.#isServing = false;
		if (fetched < granted) this.#completer.leave(queue, granted - fetched);
		this.#flush();
		if (hasRoom) this.#tellOfRoom(queue);
		if (queue === 0 || this.#pairs.hasRaised) this.#settleSomewhere();
		return this.#isServed && (isMore || fetched < granted);
	}

	/** What the controller itself wants of disks has no place in a queue in which it could be left. */
	held(request: IoRequest): void {
		if (request.queue === noQueue || request.queue === 0) {
			this.ended(request, CommandStatus.WRITE_FAULT);
			return;
		}
		this.#inFlight--;
		this.#held.push(request);
		this.#tellEmptied();
	}

	ended(request: IoRequest, status: CommandStatus): void {
		this.#inFlight--;
		this.#putBack(request);
		if (request.vectors.count > 0) request.vectors.release();
		if (request.queue === noQueue) this.#endShutdown();
		else {
			this.#completer.count(request, status);
			this.#finish(request.queue, request.id, status, 0);
			this.#planFlush();
		}
		if (this.#isRunning && this.#starved.size > 0) {
			for (const queue of this.#starved) this.#services.serve(queue);
			this.#starved.clear();
		}
		this.#tellEmptied();
	}

	#tellEmptied(): void {
		if (this.#inFlight > 0 || this.#emptied === undefined) return;
		this.#flush();
		this.#emptied();
		this.#emptied = undefined;
	}

	get #isServed(): boolean {
		return this.#isRunning && this.#controller.isLive && this.#services.memory.isOpen;
	}

	/** Under the lock: looks at the doorbells, and for how many commands there is room. */
	#take(): void {
		const queue = this.#queue;
		this.#granted = 0;
		this.#hasRoom = false;
		if (!this.#controller.isLive) return;
		this.#hasRoom = this.#pairs.moveHead(queue);
		if (!this.#services.pci.enabled) {
			this.#pairs.watchHead(queue);
			lineOf(this.#services).setLevel(this.#controller.isLineUp);
		}
		// What the admin queue wants is not for disks, but for a flush of caches.
		const ofDisks = this.#inFlight + this.#held.length;
		const used = queue === 0 ? this.#controller.submissions[0]?.inFlight : ofDisks;
		const room = Math.max(0, (queue === 0 ? turnCommands : this.#most) - (used ?? 0));
		this.#granted = this.#pairs.take(queue, room);
		if (this.#granted < room) return;
		this.#starved.add(queue);
		// Those of this turn may need no disk.
		this.#pairs.again ||= room > 0;
	}

	#fetch(queue: number): boolean {
		if (this.#pairs.fetch(queue, this.#command.$bytes)) return true;
		this.#services.locked(() => this.#controller.fail());
		return false;
	}

	/** @returns bytes that the command moves, about */
	#begin(queue: number): number {
		const command = this.#command;
		const {id, flags} = command;
		if (this.#ids.has(queue, id)) {
			// The other one keeps the id.
			this.#completer.add(queue, id, CommandStatus.ID_CONFLICT, 0);
			return 0;
		}
		this.#ids.add(queue, id);
		if ((flags & fusedBits) !== 0) this.#finish(queue, id, CommandStatus.INVALID_FIELD, 0);
		else if (this.#admin !== undefined && queue === 0) this.#administer(this.#admin, id, flags);
		else return this.#beginIo(queue, id);
		return 0;
	}

	#administer(admin: AdminCommands, id: number, flags: number): void {
		// On PCI Express admin commands have PRP entries (NVM Express Base 2.0, 4.1.2).
		const status = flags >>> pointerShift === 0 ? admin.perform(this.#command) : CommandStatus.INVALID_FIELD;
		if (status === CommandStatus.SUCCESS && admin.hasCacheToFlush) this.#flushAll(0, id);
		else if (status !== undefined) this.#finish(0, id, status, admin.result);
	}

	#beginIo(queue: number, id: number): number {
		const request = this.#newRequest().begin(queue, id);
		if (this.#holds) request.command.set(this.#command.$bytes);
		this.#inFlight++;
		const status = this.#io.start(this.#command, request);
		if (status === undefined) return request.bytes;
		this.#inFlight--;
		this.#putBack(request);
		this.#finish(queue, id, status, 0);
		return 0;
	}

	#newRequest(): IoRequest {
		const free = this.#free.pop();
		if (free !== undefined) return free;
		const made = new IoRequest(this);
		this.#all.push(made);
		return made;
	}

	#putBack(request: IoRequest): void {
		request.isUnderWay = false;
		this.#free.push(request);
	}

	/** Looks for the commands of its queues that the driver has aborted. */
	#followAborts(): void {
		if (!this.#isServed) return;
		const {worker, locked} = this.#services;
		const {aborts} = this.#controller.state;
		const asked = locked(() =>
			aborts.filter(
				({phase, command}) => phase === AbortPhase.ASKED && (command & 0xffff) % worker.count === worker.index,
			),
		);
		if (asked.length === 0) return;
		for (const abort of asked) {
			const result = this.#abort(abort.command & 0xffff, abort.command >>> 16) ? 0 : notAborted;
			locked(() => Object.assign(abort, {phase: AbortPhase.LOOKED, result}));
		}
		this.#flush();
		this.#settleSomewhere();
	}

	/** Ends a command that is held, or waits for a limit; false where a disk has it, or nobody does. */
	#abort(queue: number, id: number): boolean {
		if (this.#controller.state.leftCount > 0) this.#retakeLeft(queue);
		const found = this.#all.find((each) => each.isUnderWay && each.queue === queue && each.id === id);
		if (found === undefined) return false;
		found.isAborted = true;
		if (this.#held.includes(found)) {
			this.#held = this.#held.filter((each) => each !== found);
			this.#inFlight++;
			this.ended(found, CommandStatus.ABORT_REQUESTED);
		} else found.isAborted = this.#namespaces.withdraw(found);
		return found.isAborted;
	}

	/** Has the state keep what is held: it is in flight to the driver, and nowhere here. */
	#leaveHeld(): void {
		const held = this.#held;
		this.#held = [];
		this.#services.locked(() => {
			const {state} = this.#controller;
			// A snapshot of another number of workers may have brought more than there is room for.
			const room = mostLeft - state.leftCount;
			for (const request of held.splice(0, room)) {
				const at = leftWords * state.leftCount++;
				state.left[at] = request.queue;
				new Uint8Array(state.left.buffer, state.left.byteOffset + 4 * (at + 1), Command.size).set(request.command);
				this.#putBack(request);
			}
		});
		for (const {queue, id} of held) this.#finish(queue, id, CommandStatus.WRITE_FAULT, 0);
		this.#flush();
	}

	/** Begins those again that are of a queue. */
	#retakeLeft(queue: number): void {
		const taken = this.#services.locked(() => {
			const {state} = this.#controller;
			const all = Array.from({length: state.leftCount}, (_, index) =>
				state.left.slice(leftWords * index, leftWords * (index + 1)),
			);
			const [own, others] = [0, 1].map((side) => all.filter(([of]) => (of === queue) === (side === 0)));
			state.leftCount = others?.length ?? 0;
			for (const [index, words] of others?.entries() ?? []) state.left.set(words, leftWords * index);
			return own ?? [];
		});
		this.#isServing = true;
		for (const words of taken) {
			this.#command.$bytes.set(new Uint8Array(words.buffer, 4, Command.size));
			this.#begin(queue);
		}
		this.#isServing = false;
	}

	#finish(queue: number, id: number, status: CommandStatus, result: number): void {
		this.#ids.delete(queue, id);
		this.#completer.add(queue, id, status, result);
	}

	/** Several that end in one turn are told of together; there is nothing to wait for behind the last one. */
	#planFlush(): void {
		if (this.#isServing) return;
		if (this.#inFlight === 0) this.#flush();
		else if (!this.#isFlushPlanned) {
			this.#isFlushPlanned = true;
			this.#services.reactor.defer(this.#flushPlanned);
		}
	}

	/** Tells the driver of what is done. */
	#flush(): void {
		if (this.#completer.flush()) this.#settleSomewhere();
	}

	/** Queues that wait for room in a completion queue may go on. */
	#tellOfRoom(queue: number): void {
		const {worker} = this.#services;
		let areOthers = false;
		for (const [number, {phase, completions}] of this.#controller.submissions.entries()) {
			if (phase !== Phase.ON || completions !== queue) continue;
			if (number % worker.count === worker.index) this.#services.serve(number);
			else areOthers = true;
		}
		if (areOthers) this.#services.notifyBack();
	}

	/** The admin queue has something to tell of, or may have. */
	#settleSomewhere(): void {
		this.#pairs.hasRaised = false;
		if (this.#admin === undefined) this.#services.notifyBack();
		else this.#settle();
	}

	/** Does what the admin queue has put off and now may do. */
	#settle(): void {
		if (this.#admin === undefined || !this.#isRunning || !this.#controller.isLive) return;
		if (this.#services.memory.isOpen) this.#settleAdmin(this.#admin);
		if (this.#controller.state.shutdown === Shutdown.UNDER_WAY && !this.#isShuttingDown) this.#beginShutdown();
	}

	#settleAdmin(admin: AdminCommands): void {
		const told = this.#services.locked(() => admin.settle());
		for (const id of told) this.#ids.delete(0, id);
		if (told.length > 0) this.#completer.tellOf(0);
	}

	async #measure(): Promise<void> {
		await this.#namespaces.measure();
		const hasChanged = this.#services.locked(() => {
			const any = this.#namespaces.tell();
			if (any) this.#raiseNamespaces();
			return any;
		});
		if (hasChanged) this.#services.reactor.defer(() => this.#settle());
	}

	/** Under the lock: namespaces are not what the driver knows. */
	#raiseNamespaces(): void {
		if (this.#controller.isLive) this.#pairs.raise(AsyncEvents.NAMESPACES, 0);
	}

	/** The driver goes (3.6.1). */
	#beginShutdown(): void {
		this.#isShuttingDown = true;
		this.#flushAll(noQueue, 0);
	}

	/** Makes what disks have in caches durable, which a command waits for. */
	#flushAll(queue: number, id: number): void {
		this.#inFlight++;
		this.#newRequest().begin(queue, id).flushAll(this.#namespaces.all);
	}

	#endShutdown(): void {
		this.#isShuttingDown = false;
		const {state} = this.#controller;
		this.#services.locked(() => {
			if (state.shutdown === Shutdown.UNDER_WAY) state.shutdown = Shutdown.COMPLETE;
		});
	}
}
