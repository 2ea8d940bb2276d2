import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {errorTable} from '#support/errors';
import {i32, reserved, u32, wire} from '#support/wire';
import {type VirtioBlkConfig, virtioBlkId, virtioBlkKind} from './handle.ts';
import {BlkConfig, idBytes, sectorBytes} from './layout.ts';
import {DiskRequests, mostRequestBytes} from './requests.ts';

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

const queueSize = 128;
/** Header and status take a descriptor each. */
const mostSegments = queueSize - 2;
/** Whole pages, of which as many as a request has make no more than {@link mostRequestBytes}. */
const mostSegmentBytes = Math.floor(mostRequestBytes / mostSegments / 4096) * 4096;
export const mostQueues = 16;
export const mostDiskBytes = 2 ** 32;

/** A disk in RAM of the host's (virtio 1.2, 5.2), which loses its data when the machine ends. */
const virtioBlk: VirtioDevice<
	VirtioBlkConfig,
	typeof State.fields,
	'sizeMost' | 'segmentsMost' | 'readOnly' | 'blockBytes' | 'flush' | 'queues'
> = {
	kind: virtioBlkKind,
	id: virtioBlkId,
	pciClass: 0x01_0000,
	state: State,
	workers: ({workers}) => workers,
	hostMemory: ({bytes}) => HostMemory.byteLength + bytes,
	features: {sizeMost: 1, segmentsMost: 2, readOnly: 5, blockBytes: 6, flush: 9, queues: 12},
	offers: ({readOnly}) => [
		'sizeMost',
		'segmentsMost',
		...(readOnly ? (['readOnly'] as const) : []),
		'blockBytes',
		'flush',
		'queues',
	],
	platform: ({packed}) => ({RING_PACKED: packed}),
	mostQueues,
	queues: (config) => {
		check(config);
		return Array.from({length: config.queues}, (_, index) => ({name: `requests-${index}`, size: queueSize}));
	},
	config: {
		bytes: BlkConfig.size,
		values: ({bytes, queues}) =>
			BlkConfig.encode({
				capacity: bytes / sectorBytes,
				sizeMost: mostSegmentBytes,
				segmentsMost: mostSegments,
				blockBytes: sectorBytes,
				queues,
			}),
	},
	back: ({readOnly, id}, state, services) => {
		const memory = services.hostMemory as SharedArrayBuffer;
		const disk = new DiskRequests(new Uint8Array(memory, HostMemory.byteLength), id, readOnly);
		const drawn = process.getBuiltinModule('node:crypto').randomInt(1, 2 ** 31);
		const own = Atomics.compareExchange(HostMemory.on(memory).$atomic, HostMemory.word('disk'), 0, drawn) || drawn;
		/** The guest is from a snapshot, and its data are in RAM that is no more: it must not take zeros for them. */
		let isLost = false;
		return {
			start: () =>
				services.locked(() => {
					if (state.disk === 0) state.disk = own;
					isLost = state.disk !== own;
				}),
			queueReady(queue) {
				for (let chain = queue.next(); chain !== undefined; chain = queue.next())
					queue.complete(chain, disk.serve(chain, isLost));
			},
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
