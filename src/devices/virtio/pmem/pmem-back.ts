import type {GuestMemory} from '#devices/guest-memory';
import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {errorTable} from '#support/errors';
import {FileAction, FileOperation, type IoEngine, openIoEngine} from '#support/io-engine';
import {type FieldsView, packed, u32, u64, wire} from '#support/wire';
import {FileMapping} from './file-mapping.ts';
import type {PmemSource} from './pmem-source.ts';

/** Persistent memory of a machine. */
export interface VirtioPmemConfig {
	readonly source: PmemSource;
	/** What the guest has of it: see `bytesOf`. */
	readonly bytes: number;
}

/** Number of the feature: the driver looks for the memory in shared memory region {@link pmemRegion} (virtio 1.3, 5.19.3). */
export const pmemFeatures = {sharedMemory: 0} as const;
export type PmemFeature = keyof typeof pmemFeatures;
export const pmemRegion = 0;

/** Device configuration space (virtio 1.3, 5.19.4). The platform answers reads of `start`. */
export const PmemConfig = packed('virtio_pmem_config', {start: u64.asNumber, size: u64.asNumber}).sized(
	16,
	'virtio 1.3, 5.19.4',
);

export const PmemState = wire('virtio-pmem', {
	/** Tells whose the pages are that no file has, where the guest may have some; else 0. */
	owner: u32,
});

/** The one type of request, and the answers (virtio 1.3, 5.19.6). */
const flushType = 0;
const [done, failed] = [0, 0xffff_ffff];
const wordBytes = 4;

const pmemError = errorTable({
	VIRTIO_PMEM_LOST: () => ({
		message: 'The guest goes on with persistent memory that it had written, and that was lost with its machine',
		remedy: 'Make snapshots of machines whose memory is a file without private, or of guests that only read it',
	}),
	VIRTIO_PMEM_CHANGED: (c: {bytes: number; told: number}) => ({
		message: `The persistent memory has ${c.bytes} bytes, and the guest goes on with ${c.told}`,
		remedy: 'Restore with the file that the machine had when its snapshot was made',
	}),
});

/** Makes what is in the file's pages durable. */
class Flush extends FileOperation {
	readonly #ended: (result: number) => void;

	constructor(fd: number, ended: (result: number) => void) {
		super();
		this.action = FileAction.SYNC;
		this.fd = fd;
		this.#ended = ended;
	}

	completed(result: number): void {
		this.#ended(result);
	}
}

/** The worker's part: maps the file, and flushes it. */
export class PmemBack implements VirtioBack {
	readonly #config: VirtioPmemConfig;
	readonly #state: FieldsView<typeof PmemState.fields>;
	readonly #services: VirtioServices<PmemFeature>;
	/** Tells pages of this machine's own from any other's. */
	readonly #owner = process.getBuiltinModule('node:crypto').randomInt(1, 2 ** 31);
	readonly #request = new Uint8Array(wordBytes);
	readonly #answer = new Uint8Array(wordBytes);
	#opening: Promise<FileMapping> | undefined;
	#mapping: FileMapping | undefined;
	#engine: IoEngine | undefined;
	/** Requests for a flush that is not under way yet. */
	#waiting: Chain[] = [];
	#isFlushing = false;
	#isGone = false;

	constructor(
		config: VirtioPmemConfig,
		state: FieldsView<typeof PmemState.fields>,
		services: VirtioServices<PmemFeature>,
	) {
		this.#config = config;
		this.#state = state;
		this.#services = services;
	}

	async open(): Promise<void> {
		const {source, bytes} = this.#config;
		if (source.kind === 'memory') return;
		const isPrivate = source.private ?? false;
		const memory = this.#services.sharedMemory(pmemRegion) as GuestMemory;
		this.#opening = FileMapping.open(source.path, isPrivate, memory, bytes);
		this.#mapping = await this.#opening;
		if (!isPrivate) this.#engine = openIoEngine(this.#services.reactor);
	}

	start(): void {
		const {state} = this.#services.locked(() => ({state: this.#state.owner}));
		if (state !== 0 && state !== this.#owner) throw pmemError('VIRTIO_PMEM_LOST', {});
		const [{bytes}, {size: told}] = [this.#config, PmemConfig.read(this.#services.config)];
		if (told !== bytes) throw pmemError('VIRTIO_PMEM_CHANGED', {bytes, told});
	}

	async stop(): Promise<void> {
		const hasOwnPages = this.#mapping?.hasOwnPages ?? this.#config.source.kind === 'memory';
		this.#services.locked(() => {
			this.#state.owner = hasOwnPages ? this.#owner : 0;
		});
	}

	queueReady(queue: VirtQueue): void {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			const isFlush = chain.read(0, this.#request) && this.#request.every((byte) => byte === flushType);
			if (!isFlush) this.#complete(queue, chain, failed);
			else if (this.#engine === undefined) this.#complete(queue, chain, done);
			else this.#waiting.push(chain);
		}
		this.#flush(queue);
	}

	async dispose(): Promise<void> {
		this.#isGone = true;
		// A machine that goes since another file is not there goes while this one is being opened.
		const mapping = await this.#opening?.catch(() => undefined);
		await this.#engine?.close();
		await mapping?.close();
	}

	/** Flushes once for all that wait; who comes meanwhile waits for the next, since it may have written behind the first. */
	#flush(queue: VirtQueue): void {
		const [engine, mapping] = [this.#engine, this.#mapping];
		if (engine === undefined || mapping === undefined || this.#isFlushing || this.#waiting.length === 0) return;
		const chains = this.#waiting;
		this.#waiting = [];
		this.#isFlushing = true;
		const {promise, resolve} = Promise.withResolvers<void>();
		this.#services.track(promise, 'a flush of persistent memory');
		const ended = (result: number) => {
			this.#isFlushing = false;
			resolve();
			if (this.#isGone) return;
			// The host tells once of what it has lost, and what the others had written may be among it.
			if (result < 0) chains.push(...this.#waiting.splice(0));
			for (const chain of chains) this.#complete(queue, chain, result < 0 ? failed : done);
			this.#flush(queue);
		};
		engine.submit(new Flush(mapping.fd, ended));
	}

	#complete(queue: VirtQueue, chain: Chain, result: number): void {
		this.#answer.fill(result === done ? 0 : 0xff);
		queue.complete(chain, chain.write(0, this.#answer) ? wordBytes : 0);
	}
}
