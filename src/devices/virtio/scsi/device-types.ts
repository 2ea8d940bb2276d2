import {mostWorkers} from '#devices/device';
import {deviceType, type HostReport} from '#devices/device-type';
import {diskReport} from '#devices/storage/backend';
import {attachUnit, detachUnit, ejectMedium, insertMedium, unitPlaces} from '#devices/storage/scsi';
import {measureDisk} from '#devices/storage/source';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import type {OptionTable} from '#support/options';
import {virtioScsiFlags} from './flags.ts';
import {mostRequestQueues, type VirtioScsiConfig, virtioScsiKind} from './handle.ts';
import {ManagementShare} from './management.ts';
import {unitList} from './unit-list.ts';
import {virtioScsiMmio, virtioScsiPci} from './virtio-scsi.ts';

const options = {
	units: {
		type: unitList,
		default: [],
		example: [
			{lun: 0, disk: {kind: 'memory', bytes: 2 ** 20}, readOnly: false},
			{lun: 3, disk: {kind: 'memory', bytes: 2 ** 16}, readOnly: true, dvd: true},
			{
				lun: 7,
				disk: {kind: 'memory', bytes: 2 ** 16},
				readOnly: false,
				detached: true,
				policy: {limits: {iops: 1000}},
			},
		],
		host: true,
		help: 'disks by their numbers: LUN:DISK, with ro: (only read), dvd: (in a drive) and off: (not attached) before the disk, several with + between them',
	},
	serial: {
		type: 'text',
		example: 'scsi0',
		help: 'what ids and serial numbers of the disks follow from: 1 to 20 characters, of each controller others',
	},
	queues: {type: 'number', min: 1, max: mostRequestQueues, default: 1, example: 2, help: 'queues for requests'},
	workers: {type: 'number', min: 1, max: mostWorkers, default: 1, host: true, help: 'threads that serve the queues'},
	packed: {type: 'flag', default: true, help: 'rings may be packed, if the driver knows that format'},
} as const satisfies OptionTable;

const report = ({units, workers}: VirtioScsiConfig, memory: SharedArrayBuffer): HostReport =>
	diskReport(unitPlaces(units, workers, ManagementShare.byteLength), memory, workers);

const summary = 'A SCSI controller, its disks and its drives for discs';
const commands = [measureDisk, attachUnit(7), detachUnit(0), ejectMedium(3), insertMedium(3)].map((each) => ({
	...each,
}));

/** Controllers as machines have them on PCI Express. */
export const virtioScsiPciType = deviceType({
	...virtioScsiPci,
	kind: virtioScsiKind,
	summary,
	commands,
	report,
	options,
	flags: virtioScsiFlags,
});

/** The same on MMIO. */
export const virtioScsiMmioType = deviceType({
	...virtioScsiMmio,
	kind: `${virtioScsiKind}-mmio`,
	summary: `${summary}, on MMIO`,
	commands,
	report,
	options: {...options, ...mmioOptions},
	configure: ({base, irq, ...controller}): OnMmio<VirtioScsiConfig> => ({
		...controller,
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});
