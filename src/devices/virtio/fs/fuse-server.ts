import {type Answer, type CachePolicy, type Folder, isLater, isRefused} from '#devices/folder';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {Errno} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import type {FileWindow} from './file-window.ts';
import {InitIn, Opcode, OutHeader} from './layout.ts';
import {LockWaits} from './lock-waits.ts';
import {negotiate} from './negotiation.ts';
import {operations, type Reply, type Served} from './operations.ts';
import {FuseRequest} from './request.ts';

/** What the server's owner does for it. */
export interface ServerHost {
	readonly reactor: Reactor;
	/** Keeps the device from coming to rest before a promise is settled. */
	track(promise: Promise<unknown>, what: string): void;
	/** A request is done, so that more may be taken. */
	settled(): void;
	/** The client has begun (true), or has left: then nothing is known or open any more. */
	session(isOn: boolean): void;
}

/** Requests at once, but for those that wait for locks: further ones wait in the queue. Each may have a megabyte of the host's. */
const mostInFlight = 64;
/** Requests that nobody is answered. */
const silent: ReadonlySet<number> = new Set([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT]);

/** Serves FUSE requests from a folder. */
export class FuseServer {
	readonly #folder: Folder;
	readonly #cache: CachePolicy;
	readonly #window: FileWindow | undefined;
	readonly #host: ServerHost;
	readonly #waits: LockWaits;
	readonly #flights = new Set<Promise<unknown>>();
	#isAlone = false;
	/** A client has begun, and not left. */
	isOn = false;

	constructor(folder: Folder, cache: CachePolicy, window: FileWindow | undefined, host: ServerHost) {
		this.#folder = folder;
		this.#cache = cache;
		this.#window = folder.abilities.dax ? window : undefined;
		this.#host = host;
		this.#waits = new LockWaits(host.reactor, () => this.#served);
	}

	/** Requests whose answers are still to come, but for those that wait for locks. */
	get inFlight(): number {
		return this.#flights.size;
	}

	/** No further request may be served now: there are too many, or a client is about to begin or to leave. */
	get isFull(): boolean {
		return this.#isAlone || this.#flights.size >= mostInFlight;
	}

	/** Serves a chain, and completes it, now or later. */
	serve(queue: VirtQueue, chain: Chain): void {
		const request = FuseRequest.of(chain);
		if (request === undefined || silent.has(request.opcode)) {
			queue.complete(chain, 0);
			return;
		}
		if (request.opcode === Opcode.SETLKW && this.isOn) {
			this.#waits.take(queue, request, (result) => this.#answer(queue, request, result));
			return;
		}
		const answer = this.#perform(request);
		if (!isLater(answer)) {
			this.#answer(queue, request, answer);
			return;
		}
		const answered = answer.then((later) => {
			this.#flights.delete(answered);
			this.#answer(queue, request, later);
			this.#host.settled();
		});
		this.#flights.add(answered);
		this.#host.track(answered, 'a request to a folder');
	}

	forget(node: number, count: number): void {
		this.#folder.forget(node, count);
	}

	interrupt(unique: bigint): void {
		this.#waits.interrupt(unique);
	}

	/** Chains of requests that wait for locks, which are the caller's from now on. */
	takeWaiting(): ReturnType<LockWaits['takeAll']> {
		return this.#waits.takeAll();
	}

	/** The client has gone. */
	clear(): void {
		this.#waits.takeAll();
		this.#window?.clear();
		this.#folder.clear();
		this.isOn = false;
	}

	get #served(): Served {
		return {folder: this.#folder, cache: this.#cache, window: this.#window};
	}

	#perform(request: FuseRequest): Answer<Reply> {
		const {opcode} = request;
		if (opcode === Opcode.INIT) return this.#alone(() => this.#begin(request));
		if (!this.isOn) return -Errno.EIO;
		if (opcode === Opcode.DESTROY) return this.#alone(() => this.#end());
		const operation = operations[opcode];
		return operation === undefined ? -Errno.ENOSYS : operation(request, this.#served);
	}

	/** Begins or ends a session when nothing of the last one is under way: what a folder has is cleared only then. */
	#alone(act: () => Reply): Answer<Reply> {
		if (this.#flights.size === 0) return act();
		this.#isAlone = true;
		return Promise.all(this.#flights).then(() => {
			this.#isAlone = false;
			return act();
		});
	}

	/** The client leaves, and whoever waits for a lock of its. */
	#end(): Reply {
		for (const {queue, chain} of this.takeWaiting()) queue.complete(chain, 0);
		this.clear();
		this.#host.session(false);
		return 0;
	}

	#begin(request: FuseRequest): Reply {
		const words = request.read(InitIn);
		const told = words && negotiate(words, this.#folder.abilities, this.#cache, this.#window !== undefined);
		if (told === undefined) return -Errno.EPROTO;
		if (this.isOn) this.#end();
		this.isOn = true;
		this.#host.session(true);
		return told;
	}

	/** What does not fit into the client's room is not written: it is told of an error. */
	#answer(queue: VirtQueue, {chain, unique, room}: FuseRequest, reply: Reply): void {
		if (room < 0) {
			queue.complete(chain, 0);
			return;
		}
		const payload = typeof reply === 'number' ? undefined : reply;
		const length = payload?.length ?? Math.max(0, reply as number);
		const fits = length <= room && (payload === undefined || chain.write(OutHeader.size, payload));
		const error = !fits ? -Errno.EIO : isRefused(reply) ? reply : 0;
		const len = OutHeader.size + (error === 0 ? length : 0);
		queue.complete(chain, chain.write(0, OutHeader.encode({len, error, unique})) ? len : 0);
	}
}
