/**
 * Whose files are, to a guest. Nobody in the guest gets more of the host than the process has.
 *
 * - `host`: whose they are on the host. Where the process may not give files away, a new one is its user's, and chown(2) fails.
 * - a `uid` and `gid`: all files are theirs; chown(2) to others fails.
 * - `mapped`: owner, mode and type of device that the guest gives are kept in extended attributes of the file (`user.virtfs.*`, as QEMU's
 *   `mapped-xattr`), and on the host it is a plain file of the process's user.
 */
export type OwnerMapping = 'host' | 'mapped' | {readonly uid: number; readonly gid: number};

/** How long a guest may take what it has seen of a folder for true, without looking again. */
export const cachePolicies = ['never', 'auto', 'always'] as const;
/** `never`: it looks each time. `auto`: for a second. `always`: for a day: nobody else changes the folder. */
export type CachePolicy = (typeof cachePolicies)[number];

/** Seconds of each policy. */
export const cacheSeconds: Readonly<Record<CachePolicy, number>> = {never: 0, auto: 1, always: 86_400};

/** A tag by which a guest can mount a folder, of `most` bytes. */
export const isTag = (tag: string, most: number): boolean => {
	const {length} = Buffer.from(tag);
	return length > 0 && length <= most && !tag.includes('\0');
};

/** What a machine's owner says of a folder, whatever serves it. */
export interface FolderOptions {
	readonly readOnly: boolean;
	readonly owner: OwnerMapping;
	readonly cache: CachePolicy;
	/** Extended attributes pass. */
	readonly xattrs: boolean;
	/** Locks of the guest's are locks on the host too, where others see them. Without it the guest has them among its own programs. */
	readonly locks: boolean;
	/** Other file systems of the host's that are mounted inside are there; without it their mount points cannot be entered. */
	readonly submounts: boolean;
	/** Files that the guest may know at once, and have open at once. */
	readonly mostNodes: number;
	readonly mostHandles: number;
}

export const folderDefaults: FolderOptions = {
	readOnly: false,
	owner: 'host',
	cache: 'auto',
	xattrs: false,
	locks: false,
	submounts: false,
	mostNodes: 2 ** 18,
	mostHandles: 4096,
};
