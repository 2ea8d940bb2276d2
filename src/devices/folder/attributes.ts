/** A time of a file: seconds since 1970, before it negative, and nanoseconds on top. */
export interface FileTime {
	readonly seconds: number;
	readonly nanoseconds: number;
}

/** Types of files, as bits of their mode (inode(7)). */
export const FileType = {
	MASK: 0o170000,
	FIFO: 0o010000,
	CHARACTER: 0o020000,
	DIRECTORY: 0o040000,
	BLOCK: 0o060000,
	REGULAR: 0o100000,
	LINK: 0o120000,
	SOCKET: 0o140000,
} as const;

/** Bits of a mode that are not its type. */
export const permissionBits = 0o7777;

/** What stat(2) tells of a file. */
export interface Attributes {
	/** The same for all names of a file, and as long as there is one: what programs compare. */
	readonly inode: bigint;
	/** {@link FileType} and permissions. */
	readonly mode: number;
	readonly links: number;
	readonly uid: number;
	readonly gid: number;
	/** Of a device, as Linux's `dev_t` in 32 bits: `major << 8 | minor & 0xff | (minor & ~0xff) << 12`. */
	readonly device: number;
	readonly size: number;
	/** Units of 512 bytes that it takes. */
	readonly blocks: number;
	/** Bytes that it is best read and written by. */
	readonly blockBytes: number;
	readonly accessed: FileTime;
	readonly modified: FileTime;
	/** When the attributes were changed. */
	readonly changed: FileTime;
	/** When it was made, where that is known. */
	readonly born?: FileTime;
}

/** What is to be changed of {@link Attributes}; what is not given stays. All is changed, or a part of it where an error comes in between. */
export interface AttributeChanges {
	/** {@link permissionBits} only. */
	readonly mode?: number;
	readonly uid?: number;
	readonly gid?: number;
	readonly size?: number;
	/** `now` is the host's own time. */
	readonly accessed?: FileTime | 'now';
	readonly modified?: FileTime | 'now';
}

/** Whose a new file is to be, as the guest has it. */
export interface Owner {
	readonly uid: number;
	readonly gid: number;
}

/** What statfs(2) tells. Blocks are of `blockBytes`. */
export interface FolderSpace {
	readonly blockBytes: number;
	readonly blocks: number;
	readonly freeBlocks: number;
	/** Those that whoever is not root may use. */
	readonly availableBlocks: number;
	readonly files: number;
	readonly freeFiles: number;
	readonly mostNameBytes: number;
}
