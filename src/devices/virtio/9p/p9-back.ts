import {randomInt} from 'node:crypto';
import {type Folder, isLater} from '#devices/folder';
import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import type {VirtQueue} from '#devices/virtio/queue';
import {type FieldsView, u32, wire} from '#support/wire';
import {Requests} from './requests.ts';
import {keepSession, keptSession} from './saved-session.ts';

export const Virtio9pState = wire('virtio-9p', {
	/** Tells whose session the client has: a number that the back draws, or 0 when the machine is as new. */
	host: u32,
	/** Bytes of a message that the two have agreed on; 0 before they have. */
	mostBytes: u32,
	/** Fids now, and what a snapshot had not the room for since power-on. */
	fids: u32,
	lost: u32,
});
type State = FieldsView<typeof Virtio9pState.fields>;

/** Requests at once; further ones wait in the queue. */
const mostInFlight = 64;
const requestQueue = 0;

/** Opens what is shared. */
export type OpenFolder<S> = (source: S, services: VirtioServices) => Folder | Promise<Folder>;

/** Moves requests of the one queue to a folder. */
export class Virtio9pBack<S> implements VirtioBack {
	readonly #source: S;
	readonly #state: State;
	readonly #services: VirtioServices;
	readonly #openFolder: OpenFolder<S>;
	readonly #own = randomInt(1, 2 ** 32);
	#requests: Requests | undefined;
	#isRestoring = false;
	/** Requests wait in the queue. */
	#isHeld = false;

	constructor(source: S, state: State, services: VirtioServices, openFolder: OpenFolder<S>) {
		this.#source = source;
		this.#state = state;
		this.#services = services;
		this.#openFolder = openFolder;
	}

	async open(): Promise<void> {
		this.#requests = new Requests(await this.#openFolder(this.#source, this.#services));
	}

	start(): void {
		const {host, mostBytes} = this.#state;
		const requests = this.#opened;
		const kept = host !== 0 && host !== this.#own ? keptSession(this.#memory) : undefined;
		if (host !== this.#own) {
			this.#services.locked(() => {
				this.#state.host = this.#own;
			});
		}
		requests.mostBytes = mostBytes;
		// The driver has reset the device.
		if (mostBytes === 0 && requests.fids.size > 0) requests.fids.clear();
		if (kept === undefined) return;
		const {folder, fids} = kept;
		const restored = () => {
			const lookups = new Map(folder.nodes.map((node) => [node.id, node.lookups]));
			for (const fid of fids) requests.fids.restore(fid, lookups.get(fid.node) ?? 0);
			this.#isRestoring = false;
			this.#count();
			this.#listen();
		};
		this.#isRestoring = true;
		const answer = requests.folder.restore(folder);
		if (isLater(answer)) this.#services.track(answer.then(restored), 'files of a snapshot');
		else restored();
	}

	async stop(): Promise<void> {
		await this.#services.drained();
		const {folder, fids, mostBytes} = this.#opened;
		const session = {folder: folder.save(), fids: fids.save()};
		const isKept = keepSession(this.#memory, mostBytes === 0 ? {...session, fids: []} : session);
		if (isKept) return;
		this.#services.locked(() => {
			this.#state.lost = (this.#state.lost + fids.size) >>> 0;
		});
	}

	inFlight(): string | undefined {
		const count = this.#requests?.inFlight ?? 0;
		return count === 0 ? undefined : `${count} requests of files`;
	}

	queueReady(queue: VirtQueue): void {
		for (;;) {
			this.#isHeld = this.#mayHold;
			const chain = this.#isHeld ? undefined : queue.next();
			if (chain === undefined) break;
			const served = this.#opened.serve(chain);
			if (!isLater(served)) {
				queue.complete(chain, served);
				continue;
			}
			const completed = served.then((written) => {
				queue.complete(chain, written);
				this.#count();
				this.#listen();
			});
			this.#services.track(completed, 'a request of a file');
		}
		this.#count();
	}

	/** Called under the lock. What it had open is closed when it starts. */
	reset(): void {
		this.#state.mostBytes = this.#state.fids = 0;
	}

	async dispose(): Promise<void> {
		await this.#requests?.folder.close();
	}

	get #opened(): Requests {
		if (this.#requests === undefined) throw new TypeError('a folder is opened before it is shared');
		return this.#requests;
	}

	get #memory(): SharedArrayBuffer {
		return this.#services.hostMemory as SharedArrayBuffer;
	}

	get #mayHold(): boolean {
		const {inFlight, isAlone} = this.#opened;
		return this.#isRestoring || isAlone || inFlight >= mostInFlight;
	}

	/** Takes requests again that had to wait. */
	#listen(): void {
		if (this.#isHeld && !this.#mayHold) this.#services.serve(requestQueue);
	}

	#count(): void {
		const {fids, mostBytes} = this.#opened;
		if (this.#state.fids === fids.size && this.#state.mostBytes === mostBytes) return;
		this.#services.locked(() => {
			this.#state.fids = fids.size;
			this.#state.mostBytes = mostBytes;
		});
	}
}
