import type {Disk, DiskGeometry} from '#devices/storage/disk';
import {MemoryDisk} from '#devices/storage/memory';
import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {errorTable} from '#support/errors';
import type {SavedFields} from '#support/saved-state';
import {i32, reserved, u32, wire} from '#support/wire';
import {mostClearedRanges, mostSegments, queueSize} from './blk-request.ts';
import {type VirtioBlkConfig, virtioBlkId, virtioBlkKind} from './handle.ts';
import {BlkConfig, idBytes, sectorBytes} from './layout.ts';
import {BlkRequests, mostRequestBytes} from './requests.ts';

const blkError = errorTable({
	VIRTIO_BLK_IMPOSSIBLE: (c: {cause: string}) => ({
		message: `There is no such virtio disk: ${c.cause}`,
		remedy: 'Give it a multiple of 512 bytes up to 4 GiB, and an id of at most 20 characters',
	}),
});

const State = wire('virtio-blk', {
	/** Tells whose RAM the data are in: {@link HostMemory.disk}, or 0 when the machine is as new. */
	disk: u32,
});

/** Memory that the backs share before the data. */
const HostMemory = wire('virtio-blk-memory', {
	/** A number that the first of them draws. */
	disk: i32,
	padding: reserved(4),
});

/** Configuration space has become longer by what is said of clearing ranges. */
const versions = {
	version: 2,
	upgrade: ({'virtio.config': config, ...fields}: SavedFields): SavedFields => ({
		...fields,
		'virtio.config':
			typeof config === 'string'
				? Buffer.concat([Buffer.from(config, 'base64'), Buffer.alloc(24)]).toString('base64')
				: (config as never),
	}),
};

/** Whole pages, of which as many as a request has make no more than {@link mostRequestBytes}. */
const mostSegmentBytes = Math.floor(mostRequestBytes / mostSegments / 4096) * 4096;
export const mostQueues = 16;
export const mostDiskBytes = 2 ** 32;

/** Numbers of the features (virtio 1.2, 5.2.3). */
const features = {
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
} as const;

/** Configuration space as it is at power-on, before the disk is there. */
const configOf = (queues: number) => ({
	sizeMost: mostSegmentBytes,
	segmentsMost: mostSegments,
	writeback: 1,
	queues,
});

/** What it says of a disk. */
function diskConfig({bytes, geometry}: Disk, queues: number) {
	const {sectorBytes: block, physicalSectorBytes, discardBytes, mostClearedBytes}: DiskGeometry = geometry;
	const cleared = {sectors: mostClearedBytes / sectorBytes, segments: mostClearedRanges};
	return BlkConfig.encode({
		...configOf(queues),
		capacity: bytes / sectorBytes,
		blockBytes: block,
		physicalExponent: Math.log2(physicalSectorBytes / block),
		transferLeast: physicalSectorBytes / block,
		discardSectorsMost: cleared.sectors,
		discardSegmentsMost: cleared.segments,
		discardAlignment: Math.max(discardBytes, block) / sectorBytes,
		zeroesSectorsMost: cleared.sectors,
		zeroesSegmentsMost: cleared.segments,
		zeroesMayUnmap: discardBytes > 0 ? 1 : 0,
	});
}

const writebackOffset = BlkConfig.offset('writeback');

/** A disk (virtio 1.2, 5.2) over whatever {@link Disk} it has. */
const virtioBlk: VirtioDevice<VirtioBlkConfig, typeof State.fields, keyof typeof features> = {
	kind: virtioBlkKind,
	id: virtioBlkId,
	pciClass: 0x01_0000,
	state: State,
	versions,
	workers: ({workers}) => workers,
	hostMemory: ({bytes}) => HostMemory.byteLength + bytes,
	features,
	offers: ({readOnly}) => [
		'sizeMost',
		'segmentsMost',
		'blockBytes',
		'flush',
		'topology',
		'queues',
		...(readOnly ? (['readOnly'] as const) : (['writeCacheSwitch', 'discard', 'writeZeroes'] as const)),
	],
	platform: ({packed}) => ({RING_PACKED: packed}),
	mostQueues,
	queues: (config) => {
		check(config);
		return Array.from({length: config.queues}, (_, index) => ({name: `requests-${index}`, size: queueSize}));
	},
	config: {
		bytes: BlkConfig.size,
		values: ({queues}) => BlkConfig.encode(configOf(queues)),
		written: [{offset: writebackOffset, needs: 'writeCacheSwitch', most: 1}],
	},
	back: ({readOnly, id, queues}, state, services) => {
		const memory = services.hostMemory as SharedArrayBuffer;
		const disk = new MemoryDisk(new Uint8Array(memory, HostMemory.byteLength), readOnly);
		const requests = new BlkRequests(disk, id, {
			/** A driver that cannot flush counts on there being no cache (5.2.6.2). */
			isWriteThrough: () =>
				!services.has('flush') || (services.has('writeCacheSwitch') && services.config[writebackOffset] === 0),
			mayDiscard: () => services.has('discard'),
			mayWriteZeroes: () => services.has('writeZeroes'),
		});
		const drawn = process.getBuiltinModule('node:crypto').randomInt(1, 2 ** 31);
		const own = Atomics.compareExchange(HostMemory.on(memory).$atomic, HostMemory.word('disk'), 0, drawn) || drawn;
		/** The guest is from a snapshot, and its data are in RAM that is no more: it must not take zeros for them. */
		let isLost = false;
		/** Has configuration space say what the disk is now. The driver may write what is between the two parts. */
		const tell = () => {
			const all = diskConfig(disk, queues);
			for (const [from, end] of [
				[0, writebackOffset],
				[writebackOffset + 1, BlkConfig.size],
			] as const) {
				const part = all.subarray(from, end);
				if (Buffer.compare(part, services.config.subarray(from, end)) !== 0) services.changeConfig(from, part);
			}
		};
		return {
			start: () => {
				services.locked(() => {
					if (state.disk === 0) state.disk = own;
					isLost = state.disk !== own;
				});
				if (services.worker.index === 0) tell();
			},
			stop: () => requests.drained(),
			inFlight: () => (requests.inFlight === 0 ? undefined : `${requests.inFlight} requests to the disk`),
			queueReady(queue) {
				for (let chain = queue.next(); chain !== undefined; chain = queue.next()) requests.serve(queue, chain, isLost);
			},
			dispose: () => disk.close(),
		};
	},
};

/** @throws VmmError VIRTIO_BLK_IMPOSSIBLE */
function check({bytes, id}: VirtioBlkConfig): void {
	const impossible = (cause: string) => blkError('VIRTIO_BLK_IMPOSSIBLE', {cause});
	if (!(Number.isInteger(bytes) && bytes > 0 && bytes <= mostDiskBytes && bytes % sectorBytes === 0))
		throw impossible(`it is to have ${bytes} bytes`);
	if (new TextEncoder().encode(id).length > idBytes) throw impossible(`its id is ${id}`);
}

export const virtioBlkPci = virtioPci(virtioBlk);
export const virtioBlkMmio = virtioMmio(virtioBlk);
