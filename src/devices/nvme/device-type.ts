import {mostWorkers} from '#devices/device';
import {deviceType, type HostReport} from '#devices/device-type';
import {diskReport} from '#devices/storage/backend';
import {measureDisk} from '#devices/storage/source';
import type {OptionTable} from '#support/options';
import {nvmeFlags} from './flags.ts';
import {attachNamespace, detachNamespace, mostIoQueues, type NvmeConfig} from './handle.ts';
import {namespaceList} from './namespace-list.ts';
import {diskPlaces} from './namespaces.ts';
import {nvme} from './nvme.ts';
import {nvmeWords} from './words.ts';

const options = {
	namespaces: {
		type: namespaceList,
		default: [],
		example: [
			{nsid: 1, disk: {kind: 'memory', bytes: 2 ** 20}, readOnly: false},
			{nsid: 7, disk: {kind: 'memory', bytes: 2 ** 16}, readOnly: true, detached: true, policy: {limits: {iops: 1000}}},
		],
		host: true,
		help: 'disks by their numbers: NSID:DISK, with ro: (only read) and off: (not attached) before the disk, several with + between them',
	},
	serial: {
		type: 'text',
		example: 'nvme0',
		help: 'what the guest sees as serial number: 1 to 20 characters, of each controller others, since ids follow from it',
	},
	queues: {type: 'number', min: 1, max: mostIoQueues, default: mostIoQueues, example: 4, help: 'pairs of I/O queues'},
	workers: {type: 'number', min: 1, max: mostWorkers, default: 1, host: true, help: 'threads that serve the queues'},
} as const satisfies OptionTable;

/** NVMe controllers as machines have them. */
export const nvmeType = deviceType({
	...nvme,
	summary: 'An NVMe controller and its disks',
	commands: [measureDisk, attachNamespace(7), detachNamespace(1)],
	options,
	flags: nvmeFlags,
	report: (config: NvmeConfig, memory: SharedArrayBuffer): HostReport =>
		diskReport(diskPlaces(config), memory, config.workers),
	words: nvmeWords,
});
