import {isTag} from '#devices/folder';
import {type VirtioBack, type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {errorTable} from '#support/errors';
import {bytes, packed, u16} from '#support/wire';
import {mostTagBytes, virtio9pId, virtio9pKind} from './handle.ts';
import {type OpenFolder, Virtio9pBack, Virtio9pState} from './p9-back.ts';
import {savedBytes} from './saved-session.ts';

/** A folder that the guest mounts by its tag. @typeParam S - where the folder is from */
export interface Virtio9pConfig<S> {
	readonly tag: string;
	readonly folder: S;
}

/** Device configuration space: the name by which the guest mounts the folder. */
const Virtio9pSpace = packed('virtio_9p_config', {length: u16, tag: bytes(mostTagBytes)}).sized(
	2 + mostTagBytes,
	'include/uapi/linux/virtio_9p.h',
);

const p9Error = errorTable({
	VIRTIO_9P_TAG: ({tag}: {tag: string}) => ({
		message: `A folder cannot have the tag "${tag}"`,
		remedy: `Give it 1 to ${mostTagBytes} bytes, by which the guest mounts it`,
	}),
});

/** A folder by 9P2000.L (include/uapi/linux/virtio_9p.h), whatever it is opened from. */
const virtio9p = <S>(
	openFolder: OpenFolder<S>,
): VirtioDevice<Virtio9pConfig<S>, typeof Virtio9pState.fields, 'mountTag'> => ({
	kind: virtio9pKind,
	id: virtio9pId,
	pciClass: 0x01_8000,
	state: Virtio9pState,
	features: {mountTag: 0},
	mayWait: true,
	// The host is called by one that has nothing else of the machine's: see idleBack.
	workers: () => 2,
	firstWorker: 1,
	hostMemory: () => savedBytes,
	// A session without it is one of files that have gone.
	savedMemory: () => [{name: 'session', offset: 0, length: savedBytes, mayBeNew: true}],
	mostQueues: 1,
	// As many as Linux has requests for (VIRTQUEUE_NUM of net/9p/trans_virtio.c).
	queues: ({tag}) => {
		if (!isTag(tag, mostTagBytes)) throw p9Error('VIRTIO_9P_TAG', {tag});
		return [{name: 'requests', size: 128}];
	},
	config: {bytes: Virtio9pSpace.size, values: ({tag}) => spaceOf(tag)},
	words: ({fids, lost}) => ({fids: `${fids}, ${lost} lost since a snapshot had not the room`}),
	back: ({folder}, state, services) =>
		services.worker.index < services.worker.count - 1
			? idleBack
			: new Virtio9pBack(folder, state, services, openFolder),
});

/** What the thread of all the machine's devices has of it: no queue, so that a slow file system of the host keeps no other device waiting. */
const idleBack: VirtioBack = {queueReady() {}};

const spaceOf = (tag: string): Uint8Array => {
	const name = new TextEncoder().encode(tag).subarray(0, mostTagBytes);
	return Virtio9pSpace.encode({length: name.length, tag: name});
};

/** The device over folders that are opened so. */
export const virtio9pOver = <S>(openFolder: OpenFolder<S>) => ({
	pci: virtioPci(virtio9p(openFolder)),
	mmio: virtioMmio(virtio9p(openFolder)),
});
