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
	/** The client has begun (true), or has left: then nothing is known or open any more. */
	session(isOn: boolean): void;
}

/** Requests that nobody is answered. */
const silent: ReadonlySet<number> = new Set([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT]);

/** Serves FUSE requests from a folder. */
export class FuseServer {
	readonly #folder: Folder;
	readonly #cache: CachePolicy;
	readonly #window: FileWindow | undefined;
	readonly #host: ServerHost;
	readonly #waits: LockWaits;
	#inFlight = 0;
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
		return this.#inFlight;
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
		this.#inFlight++;
		const answered = answer.then((later) => {
			this.#inFlight--;
			this.#answer(queue, request, later);
		});
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
		if (opcode === Opcode.INIT) return this.#begin(request);
		if (!this.isOn) return -Errno.EIO;
		if (opcode === Opcode.DESTROY) {
			this.clear();
			this.#host.session(false);
			return 0;
		}
		const operation = operations[opcode];
		return operation === undefined ? -Errno.ENOSYS : operation(request, this.#served);
	}

	#begin(request: FuseRequest): Reply {
		const words = request.read(InitIn);
		const told = words && negotiate(words, this.#folder.abilities, this.#cache, this.#window !== undefined);
		if (told === undefined) return -Errno.EPROTO;
		if (this.isOn) this.clear();
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
