import type {KindHandle} from '#devices/device-type';
import type {DiskPolicy} from '#devices/storage/backend';

/** How a guest's root and the disk that a test tries are attached. */
export interface Attachment {
	/** The root in the guest. */
	readonly root: string;
	/** The tried disk in the guest. */
	readonly tried: string;
	/** The number of the tried disk among those of its device, as inspect has it: a unit's or a namespace's own. */
	readonly triedDisk: number;
	/**
	 * @param ports - of PCI Express, two that are free
	 * @param files - of the root and, where there is one, the tried disk
	 * @param policy - of the tried disk
	 */
	readonly devices: (
		ports: readonly [string, string],
		files: readonly string[],
		policy?: DiskPolicy,
	) => readonly KindHandle[];
}

/** A file as a disk's data. */
export const diskOf = (path: string) => ({kind: 'file', path}) as const;

/** What the host calls the devices; the second one has the tried disk. */
const names = ['root', 'tried'] as const;
const policyOf = (index: number, policy: DiskPolicy = {}) => (index === 1 ? {policy} : {});

/** Has a guest name its second SCSI disk: Linux names them in the order in which they answer. */
export const nameTried = `for node in /sys/class/scsi_device/0:0:0:1/device/block/*; do [ ! -e $node ] || ln -sf /dev/\${node##*/} /dev/tried; done\n`;

/** By what a disk is to the guest. */
export const attachments = {
	'virtio-blk': {
		root: '/dev/vda',
		tried: '/dev/vdb',
		triedDisk: 0,
		devices: (ports, files, policy) =>
			files.map((path, index) => {
				const [name, port] = [names[index] as string, ports[index] as string];
				return {kind: 'virtio-blk', name, port, options: {disk: diskOf(path), queues: 2, ...policyOf(index, policy)}};
			}),
	},
	'virtio-scsi': {
		root: 'LABEL=root',
		tried: '/dev/tried',
		triedDisk: 1,
		devices: ([port], files, policy) => {
			const units = files.map((path, lun) => ({lun, disk: diskOf(path), readOnly: false, ...policyOf(lun, policy)}));
			return [{kind: 'virtio-scsi', name: names[1], port, options: {units, serial: 'tried', queues: 2}}];
		},
	},
	// Controllers are found in any order, and namespaces by their numbers.
	nvme: {
		root: '/dev/nvme0n1',
		tried: '/dev/nvme0n2',
		triedDisk: 2,
		devices: ([port], files, policy) => {
			const namespaces = files.map((path, index) => ({
				nsid: index + 1,
				disk: diskOf(path),
				readOnly: false,
				...policyOf(index, policy),
			}));
			return [{kind: 'nvme', name: names[1], port, options: {namespaces, serial: 'tried'}}];
		},
	},
} as const satisfies Readonly<Record<string, Attachment>>;

export type DiskDevice = keyof typeof attachments;
export const diskDevices = Object.keys(attachments) as readonly DiskDevice[];
