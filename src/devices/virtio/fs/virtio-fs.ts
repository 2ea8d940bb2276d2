import {type CachePolicy, isTag} from '#devices/folder';
import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {errorTable} from '#support/errors';
import {
	fsQueues,
	type OpenFolder,
	RequestsBack,
	sharedBytes,
	UrgentBack,
	VirtioFsState,
	windowRegion,
} from './fs-back.ts';
import {type VirtioFsConfig, virtioFsId, virtioFsKind} from './handle.ts';
import {mostTagBytes, VirtioFsSpace} from './layout.ts';

const fsError = errorTable({
	VIRTIO_FS_TAG: ({tag}: {tag: string}) => ({
		message: `A folder cannot have the tag "${tag}"`,
		remedy: `Give it 1 to ${mostTagBytes} bytes, by which the guest mounts it`,
	}),
});

/** A folder by FUSE (virtio 1.2, 5.11), whatever it is opened from. */
const virtioFs = <S>(
	open: OpenFolder<S>,
	cacheOf: (source: S) => CachePolicy,
): VirtioDevice<VirtioFsConfig<S>, typeof VirtioFsState.fields> => ({
	kind: virtioFsKind,
	id: virtioFsId,
	pciClass: 0x01_8000,
	state: VirtioFsState,
	features: {},
	// What waits for a lock is left in its ring at a pause, and packed ones keep nothing that is left.
	platform: () => ({RING_PACKED: false}),
	mostQueues: fsQueues.length,
	queues: ({tag}) => {
		if (!isTag(tag, mostTagBytes)) throw fsError('VIRTIO_FS_TAG', {tag});
		return fsQueues;
	},
	mayWait: true,
	// One for each queue, where there are as many: see the backs.
	workers: () => fsQueues.length,
	hostMemory: () => sharedBytes,
	// Without it the files that a client knew have gone.
	savedMemory: () => [{name: 'folder', offset: 0, length: sharedBytes, mayBeNew: true}],
	config: {bytes: VirtioFsSpace.size, values: ({tag}) => spaceOf(tag)},
	sharedMemory: {
		pages: 'mapped',
		regions: ({windowBytes}) => (windowBytes === 0 ? [] : [{id: windowRegion, length: windowBytes}]),
	},
	words: ({mounted, lost}) => ({
		mounted: `${mounted === 0 ? 'no' : 'yes'}${lost === 0 ? '' : `, ${lost} snapshots had not the room for its files`}`,
	}),
	back: ({folder, windowBytes}, state, services) =>
		services.worker.index < services.worker.count - 1
			? new UrgentBack(services)
			: new RequestsBack({source: folder, open, cache: cacheOf(folder), windowBytes}, state, services),
});

const spaceOf = (tag: string): Uint8Array =>
	VirtioFsSpace.encode({tag: new TextEncoder().encode(tag).subarray(0, mostTagBytes), num_request_queues: 1});

/** The device over folders that are opened so. */
export const virtioFsOver = <S>(open: OpenFolder<S>, cacheOf: (source: S) => CachePolicy) => ({
	pci: virtioPci(virtioFs(open, cacheOf)),
	mmio: virtioMmio(virtioFs(open, cacheOf)),
});
