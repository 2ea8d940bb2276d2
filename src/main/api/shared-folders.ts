import {createHash} from 'node:crypto';
import {constants} from 'node:os';
import {posix} from 'node:path';
import type {KindHandle} from '#devices/device-type';
import type {FolderObject} from '#devices/folder/object';
import {mostTagBytes, virtioFsId, virtioFsKind} from '#devices/virtio/fs';
import type {GuestAgent} from '#main/agent';
import {isVmmError} from '#support/errors';
import {parseSize} from '#support/options';
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
	/**
	 * Bytes of memory where the guest has files of it mapped without a copy of its own, such as `1G`: a multiple of 2 MiB, up to 4 GiB. For a directory of the host, by its path. The
	 * machine has PCI Express then, since there is no such memory on MMIO. On the software processor it makes reading far slower.
	 */
	readonly dax?: number | string;
}

/** Folders by the absolute path where the guest has them. */
export type SharedFolders = Readonly<Record<string, string | SharedFolder>>;

/**
 * The tag of a folder, by which the guest mounts it: it tells where, so that a machine that goes on from a snapshot has each folder where it was, in whatever
 * order they are given again.
 */
function tagOf(path: string): string {
	const tag = `folder${path}`;
	const digest = () => createHash('sha256').update(path).digest('hex').slice(0, 24);
	return Buffer.byteLength(tag) <= mostTagBytes ? tag : `folder-${digest()}`;
}

/** Paths of the guest as it takes them, with the folders. @throws VmmError VM_OPTION_INVALID */
export function placed(folders: SharedFolders): [path: string, folder: SharedFolder][] {
	const all = new Map<string, SharedFolder>();
	for (const [target, folder] of Object.entries(folders)) {
		const path = posix.join(target, '.');
		if (!target.startsWith('/') || target.includes('\0') || all.has(path)) {
			const expected = 'an absolute path of the guest for each folder, and one folder for each';
			throw apiError('VM_OPTION_INVALID', {option: 'folders', value: JSON.stringify(target), expected});
		}
		all.set(path, typeof folder === 'string' ? {folder} : folder);
	}
	return [...all];
}

/** Devices that a snapshot has, by name. */
export type SavedDevices = ReadonlyMap<string, {readonly kind: string; readonly options: object}>;

/**
 * A device for each folder.
 * @param taken - places that others of the machine's have
 * @param saved - devices of a machine that goes on, to which the folders are given again
 * @throws VmmError VM_OPTION_INVALID
 */
export function folderDevices(folders: SharedFolders, taken = 0, saved?: SavedDevices): KindHandle[] {
	const all = placed(folders);
	if (all.length + taken > placesPerType) {
		const expected = `${placesPerType - taken} folders at most`;
		throw apiError('VM_OPTION_INVALID', {option: 'folders', value: `${all.length} folders`, expected});
	}
	return all.map(([path, given], index) => {
		const window = windowBytes(path, given);
		const options = {...given, tag: tagOf(path), ...(window !== undefined && {dax: window})};
		if (saved !== undefined) return againDevice(path, options, saved);
		const name = `folder${index}`;
		if (window !== undefined) return {kind: virtioFsKind, name, port: portOf(index), options};
		return ownDevice(virtioFsKind, virtioFsId, name, options, index + taken);
	});
}

/** The port of PCI Express behind which a folder is whose files are mapped. */
export const portOf = (index: number): string => `folder${index}-port`;

/** Bytes of memory where a folder's files are mapped. @throws VmmError VM_OPTION_INVALID, CONFIG_VALUE_INVALID */
export function windowBytes(path: string, {folder, dax}: SharedFolder): number | undefined {
	if (dax === undefined) return undefined;
	if (typeof folder === 'string') return typeof dax === 'number' ? dax : parseSize(dax, 'dax');
	const expected = 'dax for a directory of the host: what an object has is in no memory that could be mapped';
	throw apiError('VM_OPTION_INVALID', {
		option: 'folders',
		value: `${JSON.stringify(path)}, an object with dax`,
		expected,
	});
}

/** The device that a snapshot has of a folder, with what is the host's. Its place is as it was. */
function againDevice(path: string, options: {readonly tag: string}, saved: SavedDevices): KindHandle {
	for (const [name, device] of saved)
		if ('tag' in device.options && device.options.tag === options.tag) return {kind: device.kind, name, options};
	const expected = 'the paths that the folders had in the machine that was saved, in any order';
	throw apiError('VM_OPTION_INVALID', {option: 'folders', value: JSON.stringify(path), expected});
}

/** Mounts all of them that the guest has not mounted yet. @throws VmmError AGENT_FAILED */
export async function mountFolders(agent: GuestAgent, folders: SharedFolders): Promise<void> {
	for (const [target, {readOnly = false, dax}] of placed(folders)) {
		const mapped = dax === undefined ? {} : {data: 'dax=always'};
		const mounting = agent.mount({
			source: tagOf(target),
			target,
			type: 'virtiofs',
			readOnly,
			makeTarget: true,
			...mapped,
		});
		await mounting.catch((error: unknown) => {
			// Linux refuses to mount a file system where it is mounted already.
			if (!isVmmError(error, 'AGENT_FAILED') || error.context['errno'] !== constants.errno.EBUSY) throw error;
		});
	}
}
