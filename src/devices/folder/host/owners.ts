import {type AttributeChanges, type Attributes, FileType, type Owner} from '#devices/folder';

/** Owners and permissions of files, between a guest and the host. Results are 0 or a negated errno. */
export interface Owners {
	/** Devices can be made, since the host has none of them. */
	readonly hasDevices: boolean;
	/** What the guest sees of a file. */
	seen(fd: number, attributes: Attributes): Attributes;
	/** Permissions on the host of a file that a guest makes, before {@link own}. */
	hostMode(mode: number): number;
	/** Gives a new file to its owner. @param fd - of it */
	own(fd: number, attributes: Attributes, mode: number, device: number, owner: Owner): number;
	change(fd: number, attributes: Attributes, changes: AttributeChanges): number;
}

/** Bits by which whoever executes a file gets the rights of its owner or group. */
export const setIdBits = 0o6000;

/** A guest's file never gives a program of the host the rights of whoever the machine runs as. */
export const givesRights = (type: number, mode: number): boolean =>
	type === FileType.REGULAR && (mode & setIdBits) !== 0;
