import {DiskBackend, type OpenDisk} from '#devices/storage/backend';
import {diskMovers} from '#devices/storage/disk';
import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import {LeftChains, leftBytes, type VirtQueue} from '#devices/virtio/queue';
import {errorTable} from '#support/errors';
import {array, type FieldsView, u32, wire} from '#support/wire';
import {queueSize} from './blk-request.ts';
import {diskConfig, toldDisk, writebackOffset} from './config-space.ts';
import type {VirtioBlkConfig} from './handle.ts';
import {BlkConfig} from './layout.ts';
import {BlkRequests} from './requests.ts';

/** Numbers of the features (virtio 1.2, 5.2.3). */
export const blkFeatures = {
	sizeMost: 1,
	segmentsMost: 2,
	readOnly: 5,
	blockBytes: 6,
	flush: 9,
	topology: 10,
	writeCacheSwitch: 11,
	queues: 12,
	discard: 13,
	writeZeroes: 14,
	lifetime: 15,
} as const;
export type BlkFeature = keyof typeof blkFeatures;

export const mostQueues = 16;
export const mostLeftBytes: number = leftBytes(mostQueues, queueSize);

export const BlkState = wire('virtio-blk', {
	/** Counts the requests of the machine's owner to look how long the disk is. */
	measures: u32,
	/** What moves its data, counted from 1 in {@link diskMovers}; 0 before there is a disk. */
	mover: u32,
	/** Requests that are to be tried again when the machine goes on: see {@link LeftChains}. */
	left: array(u32, mostLeftBytes / 4),
});

const blkError = errorTable({
	VIRTIO_BLK_SHORTER: (c: {bytes: number; told: number}) => ({
		message: `The disk has ${c.bytes} bytes, and the guest goes on with one of ${c.told}`,
		remedy: 'Restore with the file that the machine had when its snapshot was made',
	}),
	VIRTIO_BLK_SECTORS: (c: {sector: number; told: number}) => ({
		message: `The disk has sectors of ${c.sector} bytes, and the guest goes on with ones of ${c.told}`,
		remedy: 'Restore without direct, or with the file where it was when the snapshot was made',
	}),
});

/** One worker's part of a disk. */
export class BlkBack implements VirtioBack {
	readonly #config: VirtioBlkConfig;
	readonly #state: FieldsView<typeof BlkState.fields>;
	readonly #services: VirtioServices<BlkFeature>;
	readonly #openDisk: OpenDisk;
	readonly #left: LeftChains;
	#opening: Promise<DiskBackend> | undefined;
	#disk: DiskBackend | undefined;
	#requests: BlkRequests | undefined;
	#measures = 0;

	constructor(
		config: VirtioBlkConfig,
		state: FieldsView<typeof BlkState.fields>,
		services: VirtioServices<BlkFeature>,
		openBelow: OpenDisk,
	) {
		this.#openDisk = openBelow;
		this.#config = config;
		this.#state = state;
		this.#services = services;
		this.#left = new LeftChains(state.left, queueSize, services);
	}

	async open(): Promise<void> {
		const {disk: source, readOnly, policy = {}, id} = this.#config;
		const {reactor, worker, hostMemory, has, noticed} = this.#services;
		const memory = hostMemory as SharedArrayBuffer;
		const host = {reactor, worker, memory, offset: 0, noticed};
		this.#opening = DiskBackend.open(source, readOnly, policy, host, this.#openDisk);
		const disk = await this.#opening;
		this.#disk = disk;
		this.#requests = new BlkRequests(disk, id, {
			// A driver that cannot flush counts on there being no cache (virtio 1.2, 5.2.6.2).
			isWriteThrough: () => !has('flush') || (has('writeCacheSwitch') && this.#services.config[writebackOffset] === 0),
			mayDiscard: () => has('discard'),
			mayWriteZeroes: () => has('writeZeroes'),
			mayAskLifetime: () => has('lifetime'),
		});
	}

	start(): void {
		this.#opened.start();
		const {worker, locked} = this.#services;
		locked(() => {
			this.#state.mover = diskMovers.indexOf(this.#opened.mover) + 1;
		});
		if (worker.index === 0) this.#startTelling();
		const requests = this.#requests as BlkRequests;
		this.#left.retake((queue, index, chain) => requests.serve(queue, index, chain));
	}

	#startTelling(): void {
		const {bytes, geometry} = this.#opened;
		const told = toldDisk(this.#services.config);
		if (bytes < told.bytes) throw blkError('VIRTIO_BLK_SHORTER', {bytes, told: told.bytes});
		if (told.bytes > 0 && told.block % geometry.sectorBytes !== 0)
			throw blkError('VIRTIO_BLK_SECTORS', {sector: geometry.sectorBytes, told: told.block});
		this.#tell();
	}

	async stop(isReset = false): Promise<void> {
		this.#disk?.stop(isReset);
		await this.#requests?.drained();
		// What fails now is tried again by the next flush, whose error the driver gets.
		await this.#disk?.settle().catch(() => {});
		this.#requests?.leaveHeld(this.#left);
	}

	/** What was left is the last driver's. */
	reset(): void {
		this.#left.clear();
	}

	queueReset(queue: VirtQueue): void {
		this.#requests?.giveUp(queue);
	}

	inFlight(): string | undefined {
		const count = this.#requests?.inFlight ?? 0;
		return count === 0 ? undefined : `${count} requests to the disk`;
	}

	queueReady(queue: VirtQueue, index: number): void {
		const requests = this.#requests as BlkRequests;
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) requests.serve(queue, index, chain);
	}

	/** The machine's owner may have made the disk longer, or shorter. */
	notified(): void {
		const {measures} = this.#state;
		if (measures === this.#measures || this.#services.worker.index !== 0) return;
		this.#measures = measures;
		this.#services.track(
			this.#opened.measure().then(
				() => this.#tell(),
				// It stays as it was where nobody can say how long it is.
				() => {},
			),
			'looking how long the disk is',
		);
	}

	async dispose(): Promise<void> {
		this.#requests?.leave();
		// A machine that goes since another disk is not there goes while this one is being opened.
		const disk = await this.#opening?.catch(() => undefined);
		await disk?.close();
	}

	get #opened(): DiskBackend {
		return this.#disk as DiskBackend;
	}

	/** Has configuration space say what the disk is now. The driver may write what is between the two parts. */
	#tell(): void {
		const {config, changeConfig} = this.#services;
		const all = diskConfig(this.#opened, this.#config.queues);
		for (const [from, end] of [
			[0, writebackOffset],
			[writebackOffset + 1, BlkConfig.size],
		] as const) {
			const part = all.subarray(from, end);
			if (Buffer.compare(part, config.subarray(from, end)) !== 0) changeConfig(from, part);
		}
	}
}
