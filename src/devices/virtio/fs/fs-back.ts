import {randomInt} from 'node:crypto';
import {type CachePolicy, type Folder, keepFolder, keptFolder} from '#devices/folder';
import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import {type Chain, LeftChains, leftBytes, type VirtQueue} from '#devices/virtio/queue';
import {array, type FieldsView, u32, wire} from '#support/wire';
import {FileWindow, windowTableBytes} from './file-window.ts';
import {FuseServer} from './fuse-server.ts';
import {BatchForgetIn, ForgetIn, ForgetOne, InHeader, InterruptIn, Opcode} from './layout.ts';
import {UrgentRing, urgentRoom} from './urgent-ring.ts';

/** Queues (virtio 1.2, 5.11.2): urgent ones, which wait for no others, and the one for all else. */
export const fsQueues = [
	{name: 'urgent', size: 128},
	{name: 'requests', size: 512},
] as const;
const requestQueue = 1;
const largestQueue = fsQueues[requestQueue].size;

/** Room for what a snapshot has of the folder. */
const keptBytes = 2 ** 25;
const pageBytes = 4096;
const ringAt = keptBytes;
const ringBytes = Math.ceil(UrgentRing.bytes / pageBytes) * pageBytes;
const tableAt = ringAt + ringBytes;
/** Memory of the host's that the two workers share, and that snapshots have. */
export const sharedBytes: number = tableAt + Math.ceil(windowTableBytes / pageBytes) * pageBytes;
/** The shared memory region for files (virtio 1.2, 5.11.6.4). */
export const windowRegion = 0;

export const VirtioFsState = wire('virtio-fs', {
	/** Tells whose client's files are open: a number that the back draws, or 0 before it has begun. */
	owner: u32,
	/** 1 while a client has the folder mounted. */
	mounted: u32,
	/** Snapshots that had no room for what the client knew, which it finds no more. */
	lost: u32,
	/** Requests that wait for locks: see {@link LeftChains}. */
	left: array(u32, leftBytes(fsQueues.length, largestQueue) / 4),
});
type State = FieldsView<typeof VirtioFsState.fields>;

/** Opens the folder that a device serves. */
export type OpenFolder<S> = (source: S, services: VirtioServices) => Folder | Promise<Folder>;

/** Where a folder is from, and how long a client may take what it has seen for true. */
export interface FolderParts<S> {
	readonly source: S;
	readonly open: OpenFolder<S>;
	readonly cache: CachePolicy;
	/** Bytes of the memory where files are mapped, or 0. */
	readonly windowBytes: number;
}

const ringOf = (services: VirtioServices): UrgentRing =>
	new UrgentRing(services.hostMemory as SharedArrayBuffer, ringAt);

/**
 * The worker of the urgent queue, which is the thread of all the machine's devices. What a client forgets and interrupts is handed on, so that the thread never
 * waits for the host's file system.
 */
export class UrgentBack implements VirtioBack {
	readonly #services: VirtioServices;
	readonly #ring: UrgentRing;

	constructor(services: VirtioServices) {
		this.#services = services;
		this.#ring = ringOf(services);
	}

	/** What is forgotten is heard of with the next request, and does not wake the thread that has the folder. */
	queueReady(queue: VirtQueue): void {
		let isUrgent = false;
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			const messages = messagesOf(chain);
			if (messages.length > this.#ring.room) {
				isUrgent = true;
				this.#ring.hold();
				// There may be the room since it was looked for.
				if (messages.length > this.#ring.room) {
					queue.putBack(chain);
					break;
				}
			}
			for (const [subject, count] of messages) {
				this.#ring.put(subject, count);
				isUrgent ||= count === 0n;
			}
			queue.complete(chain, 0);
		}
		if (isUrgent || this.#ring.room < urgentRoom / 2) this.#services.notifyBacks();
	}

	/** There may be room again: the queue is looked at after this. */
	notified(): void {}
}

type Message = readonly [subject: bigint, count: bigint];

/** What a chain of the urgent queue says: what else is in there is nothing. */
function messagesOf(chain: Chain): readonly Message[] {
	const head = new Uint8Array(InHeader.size);
	if (!chain.read(0, head)) return [];
	const {opcode, nodeid} = InHeader.read(head);
	const words = new Uint8Array(ForgetIn.size);
	if (!chain.read(InHeader.size, words)) return [];
	if (opcode === Opcode.FORGET) return forgotten([[BigInt(nodeid), BigInt(ForgetIn.read(words).nlookup)]]);
	if (opcode === Opcode.INTERRUPT) return [[InterruptIn.read(words).unique, 0n]];
	if (opcode !== Opcode.BATCH_FORGET) return [];
	const first = InHeader.size + BatchForgetIn.size;
	const there = Math.floor((chain.readable - first) / ForgetOne.size);
	const count = Math.min(BatchForgetIn.read(words).count, there, urgentRoom);
	const list = new Uint8Array(count * ForgetOne.size);
	if (!chain.read(first, list)) return [];
	return forgotten(
		Array.from({length: count}, (_, index): Message => {
			const {nodeid: node, nlookup} = ForgetOne.read(list, index * ForgetOne.size);
			return [BigInt(node), BigInt(nlookup)];
		}),
	);
}

/** What is forgotten no time is none: with 0 a message interrupts a request. */
const forgotten = (messages: readonly Message[]): readonly Message[] =>
	messages.filter(([, lookups]) => lookups !== 0n);

/** The worker of requests: it has the folder, and a thread on which nothing else of the machine's waits for it. */
export class RequestsBack<S> implements VirtioBack {
	readonly #parts: FolderParts<S>;
	readonly #state: State;
	readonly #services: VirtioServices;
	readonly #ring: UrgentRing;
	/** What serves the urgent queue where this is the only worker. */
	readonly #urgent: UrgentBack;
	readonly #left: LeftChains;
	readonly #own = randomInt(1, 2 ** 32);
	#opening: Promise<Folder> | undefined;
	#folder: Folder | undefined;
	#server: FuseServer | undefined;
	#window: FileWindow | undefined;
	/** The files of a snapshot are being found again: requests wait in their queue. */
	#isRestoring = false;
	/** Requests wait in the queue. */
	#isHeld = false;

	constructor(parts: FolderParts<S>, state: State, services: VirtioServices) {
		this.#parts = parts;
		this.#state = state;
		this.#services = services;
		this.#ring = ringOf(services);
		this.#urgent = new UrgentBack(services);
		this.#left = new LeftChains(state.left, largestQueue, services);
	}

	async open(): Promise<void> {
		const {open, source, cache, windowBytes} = this.#parts;
		const {reactor} = this.#services;
		this.#opening = Promise.resolve(open(source, this.#services));
		this.#folder = await this.#opening;
		const memory = windowBytes === 0 ? undefined : this.#services.sharedMemory(windowRegion);
		const shared = this.#services.hostMemory as SharedArrayBuffer;
		this.#window = memory && new FileWindow(memory, windowBytes, shared, tableAt);
		this.#server = new FuseServer(this.#folder, cache, this.#window, {
			reactor,
			track: (promise, what) => this.#services.track(promise, what),
			settled: () => this.#settled(),
			session: (isOn) => this.#tell(isOn),
		});
	}

	start(): void {
		const {owner, mounted} = this.#services.locked(() => ({owner: this.#state.owner, mounted: this.#state.mounted}));
		this.#services.locked(() => {
			this.#state.owner = this.#own;
		});
		if (owner === 0 || owner === this.#own) this.#begin();
		else this.#services.track(this.#restore(mounted !== 0), 'finding the files of a snapshot');
	}

	async stop(isReset = false): Promise<void> {
		for (const {queue, chain} of this.#server?.takeWaiting() ?? []) this.#left.leave(queue, requestQueue, chain);
		await this.#services.drained();
		if (isReset || this.#server?.isOn !== true) return;
		this.#hear();
		const isKept = keepFolder(this.#kept, (this.#folder as Folder).save());
		if (isKept) return;
		this.#services.locked(() => {
			this.#state.lost++;
		});
	}

	reset(): void {
		this.#left.clear();
		this.#ring.clear();
		this.#server?.clear();
		this.#state.mounted = 0;
	}

	inFlight(): string | undefined {
		const count = this.#server?.inFlight ?? 0;
		return count === 0 ? undefined : `${count} requests to the folder`;
	}

	queueReady(queue: VirtQueue, index: number): void {
		if (index !== requestQueue) {
			this.#urgent.queueReady(queue);
			return;
		}
		if (this.#isRestoring || this.#server === undefined) return;
		this.#hear();
		for (;;) {
			this.#isHeld = this.#server.isFull;
			const chain = this.#isHeld ? undefined : queue.next();
			if (chain === undefined) return;
			this.#server.serve(queue, chain);
		}
	}

	queueReset(): void {
		for (const {queue, chain} of this.#server?.takeWaiting() ?? []) queue.complete(chain, 0);
	}

	notified(): void {
		this.#hear();
	}

	async dispose(): Promise<void> {
		this.#server?.takeWaiting();
		const folder = await this.#opening?.catch(() => undefined);
		this.#window?.close();
		await folder?.close();
	}

	get #kept(): Uint8Array {
		return new Uint8Array(this.#services.hostMemory as SharedArrayBuffer, 0, keptBytes);
	}

	/** Serves what was left, and what has come meanwhile. */
	#begin(): void {
		this.#left.retake((queue, _index, chain) => this.#server?.serve(queue, chain));
		this.#services.serve(requestQueue);
	}

	/** Finds the files again that the client of a snapshot knows. */
	async #restore(wasMounted: boolean): Promise<void> {
		this.#isRestoring = true;
		const saved = wasMounted ? keptFolder(this.#kept) : undefined;
		if (saved !== undefined) await this.#folder?.restore(saved);
		if (this.#folder !== undefined) await this.#window?.restore(this.#folder);
		if (this.#server !== undefined) this.#server.isOn = wasMounted;
		this.#isRestoring = false;
		this.#begin();
	}

	/** Hears what the client forgets, and whom it interrupts: of files that are being found again, when they are there. */
	#hear(): void {
		if (this.#isRestoring) return;
		this.#ring.takeAll((subject, count) => {
			if (count === 0n) this.#server?.interrupt(subject);
			else this.#server?.forget(Number(subject), Number(count));
		});
		if (this.#ring.takeHeld()) this.#services.notifyBacks();
	}

	/** Takes requests again that had to wait. */
	#settled(): void {
		if (this.#isHeld && this.#server?.isFull === false) this.#services.serve(requestQueue);
	}

	#tell(isOn: boolean): void {
		this.#services.locked(() => {
			this.#state.mounted = Number(isOn);
		});
	}
}
