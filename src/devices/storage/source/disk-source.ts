import type {BlobConfig} from '#devices/storage/blob';
import type {FileDiskConfig} from '#devices/storage/file';
import type {FormatName} from '#devices/storage/image-formats';

/** RAM of the host, which is lost with the machine. */
export interface MemorySource {
	readonly kind: 'memory';
	readonly bytes: number;
}

/** A format whose images hold more than the disk's content. */
export type ImageFormat = Exclude<FormatName, 'raw'>;

/** A file or a block device whose content is the disk's, or the image of a format. */
export interface FileSource extends FileDiskConfig {
	readonly kind: 'file';
	/** Without it the content is the disk's. */
	readonly format?: ImageFormat;
	/** Folders in which what the image lies over may be, beside the image's own. */
	readonly backingFolders?: readonly string[];
}

/** Changes in RAM of the host, over a disk that is only read. */
export interface MemdiffSource {
	readonly kind: 'memdiff';
	readonly disk: DiskSource;
	/** Most memory that they take, in bytes: what is written then fails for want of space. */
	readonly limit?: number;
}

/** A disk whose content is encrypted on the one below. */
export interface CryptSource {
	readonly kind: 'crypt';
	readonly cipher: 'xts-aes-256';
	/** Path of a file of 64 bytes: the key of the data and that of the tweaks. */
	readonly keyFile: string;
	readonly disk: DiskSource;
}

/** A disk whose chunks lie on several disks of one length in turn. */
export interface StripedSource {
	readonly kind: 'striped';
	readonly disks: readonly DiskSource[];
	/** Bytes that lie together; 128 KiB unless given. */
	readonly chunk?: number;
}

/** A part of a disk: the partition of a number, a UUID or a label, or so many bytes from one on. */
export interface PartitionSource {
	readonly kind: 'partition';
	readonly disk: DiskSource;
	readonly number?: number;
	readonly uuid?: string;
	readonly label?: string;
	readonly offset?: number;
	/** With {@link offset}. */
	readonly length?: number;
}

/** What a server gives by HTTP, which is only read. */
export interface BlobSource extends BlobConfig {
	readonly kind: 'blob';
	/** The folder that parts of it are kept in, or false for none; the user's folder of caches unless given. */
	readonly cache?: string | false;
}

/** A disk to be opened, as plain data: one with a content of its own, or a layer over other disks. */
export type DiskSource =
	| MemorySource
	| FileSource
	| MemdiffSource
	| CryptSource
	| StripedSource
	| PartitionSource
	| BlobSource;

/** Longest disk in RAM. */
export const mostMemoryBytes = 2 ** 32;
/** What every disk's length is a multiple of. */
export const sectorBytes = 512;
/** Disks that one is made of at most, itself with them: over each other and beside each other. */
export const mostDisks = 64;

/** What the owner of a machine asks for when a disk has been made longer: that the guest learns of it. */
export const measureDisk = {kind: 'measure-disk'} as const;
