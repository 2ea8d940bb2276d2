import {constants} from 'node:os';
import type {KindHandle} from '#devices/device-type';
import type {FolderObject} from '#devices/folder/object';
import {virtioFsId, virtioFsKind} from '#devices/virtio/fs';
import type {GuestAgent} from '#main/agent';
import {isVmmError} from '#support/errors';
import {apiError} from './errors.ts';
import {ownDevice, placesPerType} from './own-device.ts';

/** A folder that a guest has. */
export interface SharedFolder {
	/** A directory of the host by its path, or an object of the program's: memory, an archive, an overlay, a function (`memoryFolder` and others). */
	readonly folder: string | FolderObject;
	/** The guest may not write to it. */
	readonly readOnly?: boolean;
	/** Whose its files are: `host` (if not given): whose they are there; an id of a user and of a group: theirs; `mapped`: as the guest says, kept in extended attributes. */
	readonly owner?: 'host' | 'mapped' | {readonly uid: number; readonly gid: number};
	/** For how long the guest does not look again: not at all, a second (if not given), or for good. */
	readonly cache?: 'never' | 'auto' | 'always';
	/** Extended attributes of users (`user.*`) pass. */
	readonly xattrs?: boolean;
	/** Locks are locks on the host, between machines as well; otherwise the guest has them among its own programs. */
	readonly locks?: boolean;
	/** File systems that the host has mounted inside are there. */
	readonly submounts?: boolean;
}

/** Folders by the absolute path where the guest has them. */
export type SharedFolders = Readonly<Record<string, string | SharedFolder>>;

/** The tag of a folder, which is its device's name too. */
const tagOf = (index: number) => `folder${index}`;

/** A device for each folder. @param taken - places that others of the machine's have @throws VmmError VM_OPTION_INVALID */
export function folderDevices(folders: SharedFolders, taken = 0): KindHandle[] {
	const all = Object.entries(folders);
	if (all.length + taken > placesPerType) {
		const expected = `${placesPerType - taken} folders at most`;
		throw apiError('VM_OPTION_INVALID', {option: 'folders', value: `${all.length} folders`, expected});
	}
	return all.map(([target, folder], index) => {
		if (!target.startsWith('/')) {
			const expected = 'an absolute path of the guest for each folder';
			throw apiError('VM_OPTION_INVALID', {option: 'folders', value: JSON.stringify(target), expected});
		}
		const options = typeof folder === 'string' ? {folder} : folder;
		const tag = tagOf(index);
		return ownDevice(virtioFsKind, virtioFsId, tag, {...options, tag}, index + taken);
	});
}

/** Mounts all of them that the guest has not mounted yet. @throws VmmError AGENT_FAILED */
export async function mountFolders(agent: GuestAgent, folders: SharedFolders): Promise<void> {
	for (const [index, [target, folder]] of Object.entries(folders).entries()) {
		const readOnly = typeof folder !== 'string' && folder.readOnly === true;
		const mounting = agent.mount({source: tagOf(index), target, type: 'virtiofs', readOnly, makeTarget: true});
		await mounting.catch((error: unknown) => {
			// Linux refuses to mount a file system where it is mounted already.
			if (!isVmmError(error, 'AGENT_FAILED') || error.context['errno'] !== constants.errno.EBUSY) throw error;
		});
	}
}
