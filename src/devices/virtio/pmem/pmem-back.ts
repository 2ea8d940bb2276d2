import {type GuestMemory, IoVectors} from '#devices/guest-memory';
import {DiskBackend} from '#devices/storage/backend';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {errorTable} from '#support/errors';
import {openIoEngine} from '#support/io-engine';
import {type FieldsView, packed, u32, u64, wire} from '#support/wire';
import {FileMapping} from './file-mapping.ts';
import {PmemDisk} from './pmem-disk.ts';
import type {PmemSource} from './pmem-source.ts';

/** Persistent memory of a machine. */
export interface VirtioPmemConfig {
	readonly source: PmemSource;
	/** What the guest has of it: see `bytesOf`. */
	readonly bytes: number;
	/** Seconds after which a flush that the host does not answer has failed; without this, or if 0, none has. */
	readonly timeout?: number;
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

/** A driver's request for a flush while the file's disk has it. */
class Flush extends DiskRequest {
	readonly #ended: (flush: Flush, error: DiskError) => void;
	queue: VirtQueue | undefined;
	chain: Chain | undefined;

	constructor(ended: (flush: Flush, error: DiskError) => void) {
		super(new IoVectors(0));
		this.operation = DiskOperation.FLUSH;
		this.#ended = ended;
	}

	override done(error: DiskError): void {
		this.#ended(this, error);
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
	/** Makes what is in the file's pages durable. */
	#disk: DiskBackend | undefined;
	/** Those that are not under way, to be used again, and how many are. */
	readonly #free: Flush[] = [];
	#inFlight = 0;
	#emptied: (() => void) | undefined;
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
		const {source, bytes, timeout = 0} = this.#config;
		if (source.kind === 'memory') return;
		const isPrivate = source.private ?? false;
		this.#opening = FileMapping.open(
			source.path,
			isPrivate,
			this.#services.sharedMemory(pmemRegion) as GuestMemory,
			bytes,
		);
		this.#mapping = await this.#opening;
		if (isPrivate) return;
		const {reactor, worker, hostMemory, noticed} = this.#services;
		const disk = new PmemDisk(this.#mapping.fd, bytes, openIoEngine(reactor));
		const host = {reactor, worker, memory: hostMemory as SharedArrayBuffer, offset: 0, noticed};
		this.#disk = new DiskBackend(disk, timeout > 0 ? {timeout} : {}, host, 0);
	}

	start(): void {
		this.#disk?.start();
		const {state} = this.#services.locked(() => ({state: this.#state.owner}));
		if (state !== 0 && state !== this.#owner) throw pmemError('VIRTIO_PMEM_LOST', {});
		const [{bytes}, {size: told}] = [this.#config, PmemConfig.read(this.#services.config)];
		if (told !== bytes) throw pmemError('VIRTIO_PMEM_CHANGED', {bytes, told});
	}

	async stop(isReset = false): Promise<void> {
		this.#disk?.stop(isReset);
		const hasOwnPages = this.#mapping?.hasOwnPages ?? this.#config.source.kind === 'memory';
		this.#services.locked(() => {
			this.#state.owner = hasOwnPages ? this.#owner : 0;
		});
	}

	queueReady(queue: VirtQueue): void {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			const isFlush = chain.read(0, this.#request) && this.#request.every((byte) => byte === flushType);
			if (!isFlush) this.#complete(queue, chain, failed);
			else if (this.#disk === undefined) this.#complete(queue, chain, done);
			else this.#flush(this.#disk, queue, chain);
		}
	}

	async dispose(): Promise<void> {
		this.#isGone = true;
		// A machine that goes since another file is not there goes while this one is being opened.
		const mapping = await this.#opening?.catch(() => undefined);
		await this.#disk?.close();
		await mapping?.close();
	}

	#flush(disk: DiskBackend, queue: VirtQueue, chain: Chain): void {
		if (this.#inFlight++ === 0) {
			const {promise, resolve} = Promise.withResolvers<void>();
			this.#emptied = resolve;
			this.#services.track(promise, 'a flush of persistent memory');
		}
		const flush = this.#free.pop() ?? new Flush(this.#ended);
		flush.queue = queue;
		flush.chain = chain;
		disk.submit(flush);
	}

	readonly #ended = (flush: Flush, error: DiskError): void => {
		const result = error === DiskError.NONE ? done : failed;
		if (!this.#isGone) this.#complete(flush.queue as VirtQueue, flush.chain as Chain, result);
		this.#free.push(flush);
		this.#inFlight--;
		if (this.#inFlight === 0) this.#emptied?.();
	};

	#complete(queue: VirtQueue, chain: Chain, result: number): void {
		this.#answer.fill(result === done ? 0 : 0xff);
		queue.complete(chain, chain.write(0, this.#answer) ? wordBytes : 0);
	}
}
