import {type Attributes, type FolderNode, OpenFlag} from '#devices/folder';
import type {HostStatus} from './attributes-of.ts';
import type {DirectoryReader} from './directory-reader.ts';

/** A file of the host's that the guest knows: what tells whether it is still the same one. */
export interface HostNode {
	readonly device: number;
	readonly inode: bigint;
	/** Milliseconds when it was made, or 0: an inode may be another file's later. */
	readonly born: number;
	/** Files that the guest has open of it. */
	readonly open: Set<HostHandle>;
}

/** An open file or directory. */
export interface HostHandle {
	readonly node: FolderNode<HostNode>;
	readonly fd: number;
	readonly flags: number;
	readonly reader: DirectoryReader | undefined;
}

/** It is open to be written. */
export const isToWrite = ({flags, reader}: HostHandle): boolean =>
	reader === undefined && (flags & OpenFlag.ACCESS) !== OpenFlag.READ;

/** A file as it is now. */
export const nodeOf = ({device, attributes}: HostStatus): HostNode => ({
	device,
	inode: attributes.inode,
	born: bornAt(attributes),
	open: new Set(),
});

const bornAt = ({born}: Attributes): number =>
	born === undefined ? 0 : born.seconds * 1000 + Math.floor(born.nanoseconds / 1e6);

/** A node that is no file. */
export const goneNode = (): HostNode => ({device: -1, inode: -1n, born: 0, open: new Set()});

/** What has been found is the file that a guest knows. */
export const isSame = ({device, inode, born}: HostNode, status: HostStatus): boolean =>
	device === status.device && inode === status.attributes.inode && born === bornAt(status.attributes);
