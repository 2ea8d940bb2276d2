import type {DeviceCommand} from '#devices/device';
import type {DiskPolicy} from '#devices/storage/backend';
import type {DiskSource} from '#devices/storage/source';

/** Names the controller in machine descriptions. */
export const nvmeKind = 'nvme';

/** One namespace of a controller: a disk that the driver reaches by a number. */
export interface NamespaceConfig {
	/** 1 to {@link mostNamespaceId}, of one controller's each another. */
	readonly nsid: number;
	readonly disk: DiskSource;
	/** Commands that write fail. */
	readonly readOnly: boolean;
	/** The driver does not see it until it is attached: {@link attachNamespace}. */
	readonly detached?: boolean;
	/** Limits of the disk, and what follows its errors. */
	readonly policy?: DiskPolicy;
	/** See `SetMember`: only of a controller whose disks have come and gone. */
	readonly at?: number;
}

/** What the owner of a machine asks for: that the guest gets a namespace of the configuration, or loses it. */
export const attachNamespace = (nsid: number) => ({kind: attachKind, nsid});
export const detachNamespace = (nsid: number) => ({kind: detachKind, nsid});
export const [attachKind, detachKind] = ['attach-namespace', 'detach-namespace'];

/** See `DeviceModel.refuses`. */
export function refusesNamespace({kind, nsid}: NamespaceCommand, {namespaces}: NvmeConfig): string | undefined {
	if ((kind !== attachKind && kind !== detachKind) || namespaces.some((each) => each.nsid === nsid)) return undefined;
	return `has no namespace ${nsid}, but ${namespaces.map((each) => each.nsid).join(', ') || 'none'}`;
}

/** What may be a command for one namespace. */
export type NamespaceCommand = DeviceCommand & {readonly nsid?: number};

/** An NVMe controller. */
export interface NvmeConfig {
	readonly namespaces: readonly NamespaceConfig[];
	/** Pairs of I/O queues that the driver may have: 1 to 64. */
	readonly queues: number;
	/** Threads that serve them: 1 to 8. */
	readonly workers: number;
	/** Serial number that the guest sees: at most 20 characters. */
	readonly serial: string;
}

/** The largest namespace id: as OpenVMM's. */
export const mostNamespaceId = 1024;
/** Most I/O queue pairs: as OpenVMM's. */
export const mostIoQueues = 64;
/** Most namespaces of a controller. */
export const mostNamespaces = 32;
