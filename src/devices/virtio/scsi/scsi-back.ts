import type {DeviceCommand} from '#devices/device';
import type {OpenDisk} from '#devices/storage/backend';
import {diskMovers} from '#devices/storage/disk';
import {mostUnits, resetUnit, ScsiUnits, type UnitCommand, UnitEvent, UnitFlag, UnitState} from '#devices/storage/scsi';
import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import {type Chain, LeftChains, leftBytes, type VirtQueue} from '#devices/virtio/queue';
import {array, type FieldsView, u32, wire} from '#support/wire';
import {Command, type CommandOwner, type CommandSizes, mostCdb, mostSense, queueSize} from './command.ts';
import {mostRequestQueues, type VirtioScsiConfig} from './handle.ts';
import {
	addressOf,
	ControlHeader,
	ControlType,
	EventType,
	lunOf,
	Management,
	ManagementRequest,
	NotificationResponse,
	notificationRequestBytes,
	ResetReason,
	Response,
	ScsiConfig,
	ScsiEvent,
} from './layout.ts';
import {type AskedFunction, isFunction, ManagementShare, ManagementView} from './management.ts';

/** Numbers of the features (virtio 1.2, 5.6.3). */
export const scsiFeatures = {hotPlug: 1, change: 2} as const;
export type ScsiFeature = keyof typeof scsiFeatures;

/** Queues before those for requests (5.6.2). */
const [controlQueue, eventQueue] = [0, 1];
export const firstRequestQueue = 2;
export const mostLeftBytes: number = leftBytes(firstRequestQueue + mostRequestQueues, queueSize);

export const ScsiState = wire('virtio-scsi', {
	/** Counts the requests of the machine's owner to look how long the disks are. */
	measures: u32,
	/** By place in the configuration. */
	units: array(UnitState, mostUnits),
	/** Commands that are to be executed anew when the machine goes on: see {@link LeftChains}. */
	left: array(u32, mostLeftBytes / 4),
});
type State = FieldsView<typeof ScsiState.fields>;

/** One worker's part of a controller. */
export class ScsiBack implements VirtioBack, CommandOwner {
	readonly #config: VirtioScsiConfig;
	readonly #state: State;
	readonly #services: VirtioServices<ScsiFeature>;
	readonly #open: OpenDisk;
	readonly #management: ManagementView;
	#opening: Promise<ScsiUnits> | undefined;
	#units: ScsiUnits | undefined;
	/** All commands that there are, and those that are not under way, to be used again. */
	readonly #all: Command[] = [];
	readonly #free: Command[] = [];
	/** Those that are to be executed anew when the machine goes on. */
	readonly #held = new Set<Command>();
	readonly #left: LeftChains;
	#inFlight = 0;
	#isGone = false;
	#emptied: (() => void) | undefined;
	#measures = 0;
	#isRunning = false;
	/** The driver's function that is under way, if this is the worker of the control queue. */
	#asked: AskedFunction | undefined;
	/** The last function that was looked at, and how many commands it still waits for here. */
	#managed = 0;
	#withdrawn = 0;

	constructor(config: VirtioScsiConfig, state: State, services: VirtioServices<ScsiFeature>, open: OpenDisk) {
		this.#config = config;
		this.#state = state;
		this.#services = services;
		this.#open = open;
		this.#left = new LeftChains(state.left, queueSize, services);
		const {index, count} = services.worker;
		this.#management = new ManagementView(services.hostMemory as SharedArrayBuffer, index, count);
	}

	async open(): Promise<void> {
		const {units, serial} = this.#config;
		const {reactor, worker, hostMemory} = this.#services;
		const host = {
			reactor,
			worker,
			memory: hostMemory as SharedArrayBuffer,
			offset: ManagementShare.byteLength,
			track: this.#services.track,
			locked: this.#services.locked,
			changed: () => this.#services.notifyBacks(),
			noticed: this.#services.noticed,
		};
		this.#opening = ScsiUnits.open({units, serial, states: this.#state.units}, host, this.#open);
		this.#units = await this.#opening;
	}

	start(): void {
		const units = this.#opened;
		this.#services.locked(() => {
			units.start();
			if (this.#services.worker.index === 0) units.startTelling();
		});
		this.#isRunning = true;
		const sizes = this.#sizes;
		this.#left.retake((queue, index, chain) => this.#serve(queue, index, chain, sizes));
		// Of media, of events, and of a function that another worker has begun.
		this.#services.notifyBacks();
	}

	async stop(isReset = false): Promise<void> {
		this.#isRunning = false;
		this.#units?.stop(isReset);
		if (this.#inFlight > 0) {
			const {promise, resolve} = Promise.withResolvers<void>();
			this.#emptied = resolve;
			await promise;
		}
		this.#putFunctionBack();
		for (const command of this.#held) {
			this.#left.leave(command.queue, command.queueIndex, command.chain);
			this.#leave(command);
		}
		this.#held.clear();
		if (this.#services.worker.index === 0) await this.#units?.settle();
	}

	inFlight(): string | undefined {
		return this.#inFlight === 0 ? undefined : `${this.#inFlight} commands of disks`;
	}

	queueReady(queue: VirtQueue, index: number): void {
		if (index === controlQueue) this.#serveControl(queue);
		else if (index === eventQueue) this.#tellEvents(queue);
		else this.#serveCommands(queue, index);
	}

	queueReset(queue: VirtQueue): void {
		for (const command of this.#held) if (command.queue === queue) this.#giveBack(command);
	}

	control(command: DeviceCommand): void {
		this.#opened.control(command as UnitCommand);
	}

	notified(): void {
		// What comes meanwhile is looked at when it goes on.
		if (!this.#isRunning) return;
		this.#opened.notified();
		this.#followManagement();
		const events = this.#services.queue(eventQueue);
		if (events !== undefined) this.#tellEvents(events);
		const {measures} = this.#state;
		if (measures === this.#measures || this.#services.worker.index !== 0) return;
		this.#measures = measures;
		this.#services.track(
			this.#opened.measure().then(() => this.#services.notifyBacks()),
			'looking how long disks are',
		);
	}

	reset(): void {
		this.#opened.reset();
		this.#left.clear();
	}

	async dispose(): Promise<void> {
		this.#isGone = true;
		for (const command of this.#all) command.isAbandoned = true;
		// A machine that goes since another disk is not there goes while this one is being opened.
		const units = await this.#opening?.catch(() => undefined);
		await units?.close();
	}

	get #opened(): ScsiUnits {
		return this.#units as ScsiUnits;
	}

	get #sizes(): CommandSizes {
		const {senseBytes, cdbBytes} = ScsiConfig.read(this.#services.config);
		// A snapshot may hold anything.
		return {senseBytes: Math.min(senseBytes, mostSense), cdbBytes: Math.min(cdbBytes, mostCdb)};
	}

	#serveCommands(queue: VirtQueue, index: number): void {
		const sizes = this.#sizes;
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) this.#serve(queue, index, chain, sizes);
	}

	#serve(queue: VirtQueue, index: number, chain: Chain, sizes: CommandSizes): void {
		const command = this.#free.pop() ?? this.#make();
		if (!command.receive(queue, index, chain, sizes)) {
			// There is no room for an answer (5.6.6.1.1).
			queue.complete(chain, 0);
			this.#free.push(command);
			return;
		}
		const {lun} = command;
		if (lun === undefined || !command.isOneWay) {
			command.answer(lun === undefined ? Response.BAD_TARGET : Response.FAILURE);
			this.#free.push(command);
			return;
		}
		this.#inFlight++;
		command.isUnderWay = true;
		this.#opened.target.execute(lun, command);
		queue.spend(command.cleared);
	}

	#make(): Command {
		const made = new Command(this);
		this.#all.push(made);
		return made;
	}

	ended(command: Command): void {
		if (!this.#isGone) command.complete();
		this.#leave(command);
		this.#leftDisk();
		if (command.withdrawn === undefined) return;
		this.#withdrawn--;
		if (this.#withdrawn === 0) this.#endWithdrawal();
	}

	held(command: Command): void {
		this.#held.add(command);
		this.#leftDisk();
	}

	/** Answers one that no disk has, since it was to be executed anew. */
	#giveBack(command: Command): void {
		this.#held.delete(command);
		this.#inFlight++;
		this.ended(command);
	}

	#leave(command: Command): void {
		command.isUnderWay = false;
		this.#free.push(command);
	}

	#leftDisk(): void {
		this.#inFlight--;
		if (this.#inFlight > 0) return;
		this.#emptied?.();
		this.#emptied = undefined;
	}

	/** What is behind a function that is under way waits in the queue. */
	#serveControl(queue: VirtQueue): void {
		while (this.#asked === undefined) {
			const chain = queue.next();
			if (chain === undefined) return;
			const header = new Uint8Array(ManagementRequest.size);
			const length = Math.min(chain.readable, header.length);
			if (!chain.read(0, header, 0, length)) queue.complete(chain, 0);
			else this.#control(queue, chain, header.subarray(0, length));
		}
	}

	#control(queue: VirtQueue, chain: Chain, request: Uint8Array): void {
		const type = request.length < ControlHeader.size ? -1 : ControlHeader.read(request).type;
		const isNotification = type === ControlType.NOTIFICATION_QUERY || type === ControlType.NOTIFICATION_SUBSCRIBE;
		if (isNotification && request.length >= notificationRequestBytes) {
			// Units tell of media by commands, and of no more.
			const response = lunOf(request.subarray(4, 12)) === undefined ? Response.BAD_TARGET : Response.OK;
			const bytes = NotificationResponse.encode({actual: 0, response});
			queue.complete(chain, chain.write(0, bytes) ? bytes.length : 0);
		} else if (type !== ControlType.MANAGEMENT || request.length < ManagementRequest.size) {
			answer(queue, chain, Response.FAILURE);
		} else this.#askFunction(queue, chain, request);
	}

	#askFunction(queue: VirtQueue, chain: Chain, request: Uint8Array): void {
		const {function: wanted, lun: address, id} = ManagementRequest.read(request);
		const lun = lunOf(address);
		if (lun === undefined) answer(queue, chain, Response.BAD_TARGET);
		else if (!isFunction(wanted)) answer(queue, chain, Response.FUNCTION_REJECTED);
		else {
			const asked = {queue, chain, function: wanted, lun, id};
			this.#asked = asked;
			this.#services.locked(() => this.#management.begin(asked));
			this.#services.notifyBacks();
		}
	}

	/** Looks for the commands of a function, when it has taken all that the driver has made available before it. */
	#followManagement(): void {
		if (this.#management.count !== this.#managed) {
			if (this.#takeAll()) this.#withdraw();
			else this.#services.notifyBacks();
		}
		if (this.#isFunctionDone) this.#endFunction();
	}

	/** False where a queue has more than its turn. */
	#takeAll(): boolean {
		const {worker} = this.#services;
		let isAll = true;
		for (let index = firstRequestQueue; index < firstRequestQueue + this.#config.queues; index++) {
			if (index % worker.count !== worker.index) continue;
			const queue = this.#services.queue(index);
			if (queue?.serve(() => this.#serveCommands(queue, index)) === true) isAll = false;
		}
		return isAll;
	}

	get #isFunctionDone(): boolean {
		return this.#asked !== undefined && this.#services.locked(() => this.#management.isDone);
	}

	/** A pause has one that is not done begin anew: some of its commands may be in the driver's queues. */
	#putFunctionBack(): void {
		if (this.#isFunctionDone) this.#endFunction();
		if (this.#asked === undefined) return;
		this.#services.locked(() => this.#management.cancel());
		this.#asked.queue.putBack(this.#asked.chain);
		this.#asked = undefined;
	}

	#withdraw(): void {
		const current = this.#services.locked(() => this.#management.current());
		this.#managed = current.count;
		let found = 0;
		for (const command of this.#all) {
			if (!command.isUnderWay || !current.matches(command.lun, (id) => command.hasId(id))) continue;
			found++;
			if (current.withdrawal === undefined || command.withdrawn !== undefined) continue;
			command.withdrawn = current.withdrawal;
			this.#withdrawn++;
		}
		if (found > 0) this.#services.locked(() => this.#management.found());
		for (const command of this.#held) if (command.withdrawn !== undefined) this.#giveBack(command);
		for (const command of this.#all)
			if (command.isUnderWay && command.withdrawn !== undefined) this.#opened.withdraw(command);
		if (this.#withdrawn === 0) this.#endWithdrawal();
	}

	/** Nothing is under way here of the function that was looked at last. */
	#endWithdrawal(): void {
		const isAll = this.#services.locked(() => {
			this.#management.done(this.#managed);
			return this.#management.isDone;
		});
		if (isAll) this.#services.notifyBacks();
	}

	#endFunction(): void {
		const {queue, chain, function: wanted, lun} = this.#asked as AskedFunction;
		this.#asked = undefined;
		const {target} = this.#opened;
		const isOfAll = wanted === Management.NEXUS_RESET;
		const response = this.#services.locked(() => {
			for (const {facts} of target.units)
				if (isOfAll || (wanted === Management.UNIT_RESET && facts.lun === lun)) resetUnit(facts.state);
			// One that has been detached is still asked for what it had under way.
			const isThere = isOfAll || this.#management.isFound || target.find(lun) !== undefined;
			return isThere ? this.#management.answer : Response.INCORRECT_LUN;
		});
		answer(queue, chain, response);
		if (this.#isRunning) this.#services.serve(controlQueue);
	}

	/** Tells the driver of what has happened to units, one event for each buffer that it has given. */
	#tellEvents(queue: VirtQueue): void {
		for (const {facts} of this.#opened.target.units) {
			const {state, lun} = facts;
			while (state.events !== 0) {
				const chain = queue.next();
				if (chain === undefined) return;
				const event = this.#services.locked(() => this.#takeEvent(state, lun));
				if (event === undefined) {
					queue.putBack(chain);
					break;
				}
				queue.complete(chain, chain.write(0, event) ? event.length : 0);
			}
		}
	}

	/** Takes the next event of a unit that the driver wants; the others are forgotten, as is all of one that it does not see. */
	#takeEvent(state: UnitState, lun: number): Uint8Array | undefined {
		for (const [bit, feature, event, reason] of unitEvents) {
			if ((state.events & bit) === 0) continue;
			state.events &= ~bit;
			const isSeen = bit === UnitEvent.REMOVED || (state.flags & UnitFlag.DETACHED) === 0;
			if (isSeen && this.#services.has(feature)) return ScsiEvent.encode({event, lun: addressOf(lun), reason});
		}
		return undefined;
	}
}

/** Additional sense code and qualifier of a parameter change. */
const parameter = (code: number, qualifier: number): number => code | (qualifier << 8);

const unitEvents = [
	[UnitEvent.REMOVED, 'hotPlug', EventType.TRANSPORT_RESET, ResetReason.REMOVED],
	[UnitEvent.ADDED, 'hotPlug', EventType.TRANSPORT_RESET, ResetReason.RESCAN],
	[UnitEvent.CAPACITY, 'change', EventType.PARAMETER_CHANGE, parameter(0x2a, 0x09)],
	[UnitEvent.MEDIUM, 'change', EventType.PARAMETER_CHANGE, parameter(0x28, 0x00)],
] as const;

function answer(queue: VirtQueue, chain: Chain, response: number): void {
	queue.complete(chain, chain.write(0, Uint8Array.of(response)) ? 1 : 0);
}

/** Says what units are, for inspect. */
export function unitWords({units: configs}: VirtioScsiConfig, {units}: State): string {
	return configs
		.map(({lun, readOnly, dvd}, index) => {
			const state = units[index] as UnitState;
			const disk = `${state.bytes} bytes by ${diskMovers[state.mover - 1] ?? 'nothing'}`;
			const hasMedium = (state.media & 1) === 0;
			const tray = (state.flags & UnitFlag.TRAY_OPEN) !== 0 ? ', ejected' : '';
			const what = dvd ? `a drive with ${hasMedium ? disk : 'nothing'}${tray}` : disk;
			const isDetached = (state.flags & UnitFlag.DETACHED) !== 0;
			return `${lun}: ${what}${readOnly && !dvd ? ', only read' : ''}${isDetached ? ', not attached' : ''}`;
		})
		.join('; ');
}
