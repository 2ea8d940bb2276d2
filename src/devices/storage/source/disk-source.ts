import type {FileDiskConfig} from '#devices/storage/file';

/** A disk to be opened, as plain data. */
export type DiskSource =
	/** RAM of the host, which is lost with the machine. */
	| {readonly kind: 'memory'; readonly bytes: number}
	/** A file or a block device whose content is the disk's. */
	| ({readonly kind: 'file'} & FileDiskConfig);

/** Longest disk in RAM. */
export const mostMemoryBytes = 2 ** 32;
/** What every disk's length is a multiple of. */
export const sectorBytes = 512;

/** What the owner of a machine asks for when a disk has been made longer: that the guest learns of it. */
export const measureDisk = {kind: 'measure-disk'} as const;
