import {backendBytes, backendSavedParts, mayHold, type OpenDisk} from '#devices/storage/backend';
import {diskMovers} from '#devices/storage/disk';
import {measureDisk, openDisk} from '#devices/storage/source';
import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {errorTable} from '#support/errors';
import {type SavedFields, stateError} from '#support/saved-state';
import {BlkBack, type BlkFeature, BlkState, blkFeatures, mostLeftBytes, mostQueues} from './blk-back.ts';
import {queueSize} from './blk-request.ts';
import {emptyConfig, writebackOffset} from './config-space.ts';
import {type VirtioBlkConfig, virtioBlkId, virtioBlkKind} from './handle.ts';
import {BlkConfig, idBytes} from './layout.ts';

const blkError = errorTable({
	VIRTIO_BLK_IMPOSSIBLE: (c: {cause: string}) => ({
		message: `There is no such virtio disk: ${c.cause}`,
		remedy: 'Give it an id of at most 20 characters',
	}),
});

/**
 * In version 2 configuration space became longer by what is said of clearing ranges; in 3 the owner may have the disk measured; in 4 requests
 * may be left for later; in 5 it does not say any more whose RAM the data of a disk in memory are in, for they come with it.
 */
const versions = {
	version: 5,
	upgrade: (saved: SavedFields, from: number): SavedFields => {
		const {'virtio.config': config = '', disk: _, left, ...fields} = saved;
		for (const [field, since] of Object.entries({measures: 3, mover: 3, left: 4}))
			if (from < since && field in saved) throw stateError('STATE_FIELD_UNKNOWN', {struct: virtioBlkKind, field});
		return {
			measures: 0,
			mover: 0,
			...fields,
			left: left ?? Buffer.alloc(mostLeftBytes).toString('base64'),
			'virtio.config': from < 2 && typeof config === 'string' ? longer(config) : config,
		};
	},
};

const longer = (config: string): string =>
	Buffer.concat([Buffer.from(config, 'base64'), Buffer.alloc(24)]).toString('base64');

/** A disk (virtio 1.2, 5.2), whatever it is opened from. */
const virtioBlk = (open: OpenDisk): VirtioDevice<VirtioBlkConfig, typeof BlkState.fields, BlkFeature> => ({
	kind: virtioBlkKind,
	id: virtioBlkId,
	pciClass: 0x01_0000,
	state: BlkState,
	versions,
	workers: ({workers}) => workers,
	hostMemory: ({disk, workers}) => backendBytes(disk, workers),
	savedMemory: ({disk, workers}) => backendSavedParts(disk, workers, 0, 'disk'),
	features: blkFeatures,
	offers: ({readOnly}) => [
		'sizeMost',
		'segmentsMost',
		'blockBytes',
		'flush',
		'topology',
		'queues',
		'lifetime',
		...(readOnly ? (['readOnly'] as const) : (['writeCacheSwitch', 'discard', 'writeZeroes'] as const)),
	],
	// What is in flight in a packed ring may be written over, so that it could not be left for later; nor has one in order a place for that.
	platform: ({packed, inOrder = false, policy = {}}) => ({
		RING_PACKED: packed && !mayHold(policy),
		IN_ORDER: inOrder && !mayHold(policy),
	}),
	mostQueues,
	queues: (config) => {
		check(config);
		return Array.from({length: config.queues}, (_, index) => ({name: `requests-${index}`, size: queueSize}));
	},
	config: {
		bytes: BlkConfig.size,
		values: ({queues}) => emptyConfig(queues),
		written: [{offset: writebackOffset, needs: 'writeCacheSwitch', most: 1}],
	},
	control: ({kind}, state) => {
		if (kind !== measureDisk.kind) return false;
		state.measures = (state.measures + 1) >>> 0;
		return true;
	},
	words: ({mover}) => ({disk: diskMovers[mover - 1] ?? 'is not there'}),
	back: (config, state, services) => new BlkBack(config, state, services, open),
});

/** @throws VmmError VIRTIO_BLK_IMPOSSIBLE */
function check({id}: VirtioBlkConfig): void {
	if (new TextEncoder().encode(id).length > idBytes)
		throw blkError('VIRTIO_BLK_IMPOSSIBLE', {cause: `its id is ${id}`});
}

/** The device over disks that are opened so. */
export const virtioBlkOver = (open: OpenDisk) => ({pci: virtioPci(virtioBlk(open)), mmio: virtioMmio(virtioBlk(open))});

export const {pci: virtioBlkPci, mmio: virtioBlkMmio} = virtioBlkOver(openDisk);
