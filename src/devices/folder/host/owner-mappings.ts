import {
	type AttributeChanges,
	type Attributes,
	FileType,
	type Owner,
	type OwnerMapping,
	permissionBits,
} from '#devices/folder';
import {chmodOpen, chownOpen, Errno} from '#support/ffi';
import {MappedOwners} from './mapped-owners.ts';
import {givesRights, type Owners} from './owners.ts';

const noChange = 2 ** 32 - 1;

export function ownersOf(mapping: OwnerMapping): Owners {
	if (mapping === 'mapped') return new MappedOwners();
	return mapping === 'host' ? new HostOwners() : new SquashedOwners(mapping);
}

/** Changes permissions where they differ: the process's umask is nobody's in the guest, whose own has been applied. */
function changeMode(fd: number, {mode: before}: Attributes, mode: number): number {
	const type = before & FileType.MASK;
	if ((before & permissionBits) === mode) return 0;
	if (type === FileType.LINK) return -Errno.EOPNOTSUPP;
	return givesRights(type, mode) ? -Errno.EPERM : chmodOpen(fd, mode);
}

/** Files are whose they are on the host. */
class HostOwners implements Owners {
	readonly hasDevices = false;
	readonly #mayGive = process.geteuid?.() === 0;

	seen(_fd: number, attributes: Attributes): Attributes {
		return attributes;
	}

	hostMode(mode: number): number {
		return mode & permissionBits;
	}

	own(fd: number, attributes: Attributes, mode: number, _device: number, {uid, gid}: Owner): number {
		const isOwned = attributes.uid === uid && attributes.gid === gid;
		const given = this.#mayGive && !isOwned ? chownOpen(fd, uid, gid) : 0;
		// Root of a container may have no right to, or know no such user (user_namespaces(7)): then it stays the process's.
		if (given < 0 && given !== -Errno.EPERM && given !== -Errno.EINVAL) return given;
		return changeMode(fd, attributes, mode);
	}

	change(fd: number, attributes: Attributes, {uid = noChange, gid = noChange, mode}: AttributeChanges): number {
		const isSame = (uid === noChange || uid === attributes.uid) && (gid === noChange || gid === attributes.gid);
		const given = isSame ? 0 : chownOpen(fd, uid, gid);
		return given < 0 || mode === undefined ? given : changeMode(fd, attributes, mode);
	}
}

/** All files are one user's. */
class SquashedOwners implements Owners {
	readonly hasDevices = false;
	readonly #owner: Owner;

	constructor(owner: Owner) {
		this.#owner = owner;
	}

	seen(_fd: number, attributes: Attributes): Attributes {
		return {...attributes, ...this.#owner};
	}

	hostMode(mode: number): number {
		return mode & permissionBits;
	}

	own(fd: number, attributes: Attributes, mode: number): number {
		return changeMode(fd, attributes, mode);
	}

	change(fd: number, attributes: Attributes, changes: AttributeChanges): number {
		const {uid, gid} = this.#owner;
		if ((changes.uid ?? uid) !== uid || (changes.gid ?? gid) !== gid) return -Errno.EPERM;
		return changes.mode === undefined ? 0 : changeMode(fd, attributes, changes.mode);
	}
}
