import {mayHold, type OpenDisk} from '#devices/storage/backend';
import {
	commandUnit,
	mostLun,
	mostTransferBytes,
	mostUnits,
	refusesUnit,
	type UnitCommand,
	unitSavedParts,
	unitsBytes,
} from '#devices/storage/scsi';
import {measureDisk, openDisk, sectorBytes} from '#devices/storage/source';
import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {errorTable} from '#support/errors';
import {type SavedFields, stateError} from '#support/saved-state';
import {mostCdb, mostSegments, mostSense, queueSize} from './command.ts';
import {mostRequestQueues, type VirtioScsiConfig, virtioScsiId, virtioScsiKind} from './handle.ts';
import {ScsiConfig, ScsiEvent} from './layout.ts';
import {ManagementShare} from './management.ts';
import {
	firstRequestQueue,
	mostLeftBytes,
	ScsiBack,
	type ScsiFeature,
	ScsiState,
	scsiFeatures,
	unitWords,
} from './scsi-back.ts';

const scsiError = errorTable({
	VIRTIO_SCSI_IMPOSSIBLE: (c: {cause: string}) => ({
		message: `There is no such virtio SCSI controller: ${c.cause}`,
		remedy: `Give it a serial number of 1 to 20 characters and up to ${mostUnits} units, each with a number of its own from 0 to ${mostLun}`,
	}),
});

/**
 * In version 2 commands may be left for later; in 3 it does not say any more whose RAM the data of disks in memory are in, for they come
 * with it.
 */
const versions = {
	version: 3,
	upgrade: ({disk: _, ...fields}: SavedFields, from: number): SavedFields => {
		if (from > 1) return fields;
		if ('left' in fields) throw stateError('STATE_FIELD_UNKNOWN', {struct: virtioScsiKind, field: 'left'});
		return {...fields, left: Buffer.alloc(mostLeftBytes).toString('base64')};
	},
};

/** A controller (virtio 1.2, 5.6) of one target with up to 32 units, over disks that are opened so. */
const virtioScsiOver = (open: OpenDisk): VirtioDevice<VirtioScsiConfig, typeof ScsiState.fields, ScsiFeature> => ({
	kind: virtioScsiKind,
	id: virtioScsiId,
	pciClass: 0x01_0000,
	state: ScsiState,
	versions,
	workers: ({workers}) => workers,
	hostMemory: (config) => {
		check(config);
		return ManagementShare.byteLength + unitsBytes(config.units, config.workers);
	},
	savedMemory: ({units, workers}) => unitSavedParts(units, workers, ManagementShare.byteLength),
	features: scsiFeatures,
	// What is in flight in a packed ring may be written over, so that it could not be left for later.
	platform: ({packed, units}) => ({RING_PACKED: packed && !units.some(({policy = {}}) => mayHold(policy))}),
	mostQueues: firstRequestQueue + mostRequestQueues,
	queues: ({queues}) => [
		{name: 'control', size: 64},
		{name: 'events', size: 64},
		...Array.from({length: queues}, (_, index) => ({name: `requests-${index}`, size: queueSize})),
	],
	config: {
		bytes: ScsiConfig.size,
		values: ({queues}) =>
			ScsiConfig.encode({
				requestQueues: queues,
				segmentsMost: mostSegments,
				sectorsMost: mostTransferBytes / sectorBytes,
				commandsPerUnit: queueSize,
				eventBytes: ScsiEvent.size,
				senseBytes: mostSense,
				cdbBytes: mostCdb,
				lunMost: mostLun,
			}),
		written: [
			{offset: ScsiConfig.offset('senseBytes'), size: 4, most: mostSense},
			{offset: ScsiConfig.offset('cdbBytes'), size: 4, most: mostCdb},
		],
	},
	refuses: (command, {units}) => refusesUnit(command, units),
	control(command, state, {units}) {
		if (command.kind === measureDisk.kind) {
			state.measures = (state.measures + 1) >>> 0;
			return true;
		}
		const {lun} = command as Partial<UnitCommand>;
		const index = units.findIndex((unit) => unit.lun === lun);
		const own = state.units[index];
		const all = state.units.slice(0, units.length);
		return own !== undefined && commandUnit(command as UnitCommand, own, units[index]?.dvd === true, all);
	},
	words: (state, config) => ({units: unitWords(config, state)}),
	back: (config, state, services) => new ScsiBack(config, state, services, open),
});

/** @throws VmmError VIRTIO_SCSI_IMPOSSIBLE */
function check({units, serial}: VirtioScsiConfig): void {
	const impossible = (cause: string) => scsiError('VIRTIO_SCSI_IMPOSSIBLE', {cause});
	if (!/^[ -~]{1,20}$/.test(serial)) throw impossible(`its serial number is ${JSON.stringify(serial)}`);
	if (units.length > mostUnits) throw impossible(`it is to have ${units.length} units`);
	for (const [index, {lun}] of units.entries()) {
		if (!(Number.isInteger(lun) && lun >= 0 && lun <= mostLun)) throw impossible(`it is to have the unit ${lun}`);
		if (units.findIndex((other) => other.lun === lun) !== index)
			throw impossible(`it is to have the unit ${lun} twice`);
	}
}

export const virtioScsiPciOver = (open: OpenDisk) => virtioPci(virtioScsiOver(open));
export const virtioScsiMmioOver = (open: OpenDisk) => virtioMmio(virtioScsiOver(open));
export const virtioScsiPci = virtioScsiPciOver(openDisk);
export const virtioScsiMmio = virtioScsiMmioOver(openDisk);
