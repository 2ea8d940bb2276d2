import {type AttributeChanges, type Attributes, FileType, type Owner, permissionBits} from '#devices/folder';
import {Errno, getXattr, setXattr} from '#support/ffi';
import type {Owners} from './owners.ts';

/** Names and values are those of QEMU's `security_model=mapped-xattr`, so that the two share folders: 4 bytes, little endian. */
const [uidName, gidName, modeName, deviceName] = ['uid', 'gid', 'mode', 'rdev'].map((name) =>
	Buffer.from(`user.virtfs.${name}\0`),
) as [Buffer, Buffer, Buffer, Buffer];

/** The guest does not see them, and does not change them by their names. */
export const mappedPrefix = 'user.virtfs.';

const value = new Uint8Array(4);
const view = new DataView(value.buffer);
/** On the host they are the process's user's alone; the guest's bits for programs would mean something there. */
const [fileMode, directoryMode] = [0o600, 0o700];

/** Files are plain ones of the process's user, and attributes of theirs say whose and what they are to the guest. Links have none, and are as on the host. */
export class MappedOwners implements Owners {
	readonly hasDevices = true;

	seen(fd: number, attributes: Attributes): Attributes {
		if (!hasAttributes(attributes)) return attributes;
		const mode = read(fd, modeName);
		const type = attributes.mode & FileType.MASK;
		// Only a plain file stands for another one.
		const told =
			mode === undefined ? attributes.mode : type === FileType.REGULAR ? mode : type | (mode & permissionBits);
		return {
			...attributes,
			mode: told & 0xffff,
			uid: read(fd, uidName) ?? attributes.uid,
			gid: read(fd, gidName) ?? attributes.gid,
			device: read(fd, deviceName) ?? attributes.device,
		};
	}

	hostMode(mode: number): number {
		return (mode & FileType.MASK) === FileType.DIRECTORY ? directoryMode : fileMode;
	}

	own(fd: number, attributes: Attributes, mode: number, device: number, {uid, gid}: Owner): number {
		if (!hasAttributes(attributes)) return 0;
		const type = mode & FileType.MASK;
		const isDevice = type === FileType.CHARACTER || type === FileType.BLOCK;
		return write(fd, [
			[uidName, uid],
			[gidName, gid],
			[modeName, type === 0 ? (attributes.mode & FileType.MASK) | mode : mode],
			[deviceName, isDevice ? device : undefined],
		]);
	}

	change(fd: number, attributes: Attributes, {uid, gid, mode}: AttributeChanges): number {
		if (uid === undefined && gid === undefined && mode === undefined) return 0;
		if (!hasAttributes(attributes)) return mode === undefined ? -Errno.EPERM : -Errno.EOPNOTSUPP;
		const type = this.seen(fd, attributes).mode & FileType.MASK;
		return write(fd, [
			[uidName, uid],
			[gidName, gid],
			[modeName, mode === undefined ? undefined : type | mode],
		]);
	}
}

/** Attributes of users are for files and directories alone (xattr(7)). */
export function hasAttributes({mode}: Attributes): boolean {
	const type = mode & FileType.MASK;
	return type === FileType.REGULAR || type === FileType.DIRECTORY;
}

const read = (fd: number, name: Buffer): number | undefined =>
	getXattr(fd, name, value) === value.length ? view.getUint32(0, true) : undefined;

function write(fd: number, values: readonly (readonly [name: Buffer, value: number | undefined])[]): number {
	for (const [name, number] of values) {
		if (number === undefined) continue;
		view.setUint32(0, number, true);
		const result = setXattr(fd, name, value, 0);
		if (result < 0) return result;
	}
	return 0;
}
