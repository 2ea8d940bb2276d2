import {mostWorkers} from '#devices/device';
import {deviceType, type HostReport} from '#devices/device-type';
import {diskReport, policyOption} from '#devices/storage/backend';
import {diskForms, diskOption, measureDisk} from '#devices/storage/source';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import type {OptionTable} from '#support/options';
import {mostQueues} from './blk-back.ts';
import {virtioBlkFlags} from './flags.ts';
import {type VirtioBlkConfig, virtioBlkKind} from './handle.ts';
import {virtioBlkMmio, virtioBlkPci} from './virtio-blk.ts';

const options = {
	disk: {
		type: diskOption,
		example: {kind: 'memory', bytes: 2 ** 20},
		host: true,
		help: `what is on it: ${diskForms}`,
	},
	queues: {type: 'number', min: 1, max: mostQueues, default: 1, example: 2, help: 'queues for requests'},
	workers: {type: 'number', min: 1, max: mostWorkers, default: 1, host: true, help: 'threads that serve the queues'},
	readOnly: {type: 'flag', default: false, help: 'requests to write fail, and the guest is told'},
	packed: {type: 'flag', default: true, help: 'rings may be packed, if the driver knows that format'},
	inOrder: {
		type: 'flag',
		default: false,
		help: 'requests of a queue end in the order in which they came, if the driver wants that (VIRTIO_F_IN_ORDER): what is slow keeps what is behind it',
	},
	policy: {
		type: policyOption,
		default: {},
		example: {limits: {iops: 1000}, enospc: 'stop'},
		host: true,
		help: 'limits of the disk, and what follows its errors: bps=100M;iops=500;on_error=stop, see the flag',
	},
	id: {type: 'text', default: '', example: 'disk', help: 'what the guest sees as serial number: at most 20 characters'},
} as const satisfies OptionTable;

const summary = 'A disk';
const report = ({workers}: VirtioBlkConfig, memory: SharedArrayBuffer): HostReport =>
	diskReport([{disk: 0, offset: 0}], memory, workers);
const commands = [measureDisk];

/** Disks as machines have them on PCI Express. */
export const virtioBlkPciType = deviceType({
	...virtioBlkPci,
	kind: virtioBlkKind,
	summary,
	commands,
	options,
	flags: virtioBlkFlags,
	report,
});

/** The same on MMIO. */
export const virtioBlkMmioType = deviceType({
	...virtioBlkMmio,
	kind: `${virtioBlkKind}-mmio`,
	summary: `${summary}, on MMIO`,
	commands,
	report,
	options: {...options, ...mmioOptions},
	configure: ({base, irq, ...disk}): OnMmio<VirtioBlkConfig> => ({
		...disk,
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});
