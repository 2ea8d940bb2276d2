/**
 * What is known of a file: `Stats` of `node:fs` fits. What is left out is made up: an inode number by path, one link, no owner but root, the time of
 * 1970.
 */
export interface FolderStat {
	/** The file's type and permissions, as inode(7) has them: 0o100644 is a file, 0o040755 a folder, 0o120777 a symbolic link. */
	readonly mode: number | bigint;
	/** In bytes. */
	readonly size: number | bigint;
	readonly ino?: number | bigint;
	readonly nlink?: number | bigint;
	readonly uid?: number | bigint;
	readonly gid?: number | bigint;
	readonly rdev?: number | bigint;
	readonly blocks?: number | bigint;
	/** Milliseconds since 1970. */
	readonly atimeMs?: number | bigint;
	readonly mtimeMs?: number | bigint;
	readonly ctimeMs?: number | bigint;
	readonly birthtimeMs?: number | bigint;
}

/** A name in a folder: `Dirent` of `node:fs` fits. */
export interface FolderEntry {
	readonly name: string;
	isDirectory?(): boolean;
	isSymbolicLink?(): boolean;
	isFile?(): boolean;
}

/** An open file: `FileHandle` of `node:fs/promises` fits. */
export interface FolderFile {
	/** Fills `length` bytes of `buffer`, from `offset` on, with what the file has at `position`: fewer at its end. */
	read(
		buffer: Uint8Array,
		offset: number,
		length: number,
		position: number,
	): Promise<{readonly bytesRead: number}> | {readonly bytesRead: number};
	/** Without it the file is read-only. */
	write?(
		buffer: Uint8Array,
		offset: number,
		length: number,
		position: number,
	): Promise<{readonly bytesWritten: number}> | {readonly bytesWritten: number};
	/** Without it the folder's own is asked, by the path that the file had. */
	stat?(): Promise<FolderStat> | FolderStat;
	truncate?(length: number): Promise<void> | void;
	sync?(): Promise<void> | void;
	close?(): Promise<void> | void;
}

/** Room of the file system: `StatFs` of `node:fs` fits. */
export interface FolderSpace {
	readonly bsize: number | bigint;
	readonly blocks: number | bigint;
	readonly bfree: number | bigint;
	readonly bavail: number | bigint;
	readonly files: number | bigint;
	readonly ffree: number | bigint;
}

type Answer<T> = Promise<T> | T;

/**
 * A folder that a program is: the part of `node:fs/promises` that is used, with answers at once or by promises. Paths are absolute and
 * normal, `/` being the folder itself: no `..`, no `.`, no empty name. What fails throws an error whose `code` is an error's name (`ENOENT`); any other error
 * is EIO to the guest. A method that is not there makes what needs it fail: EROFS where it would write, else EOPNOTSUPP.
 *
 * Methods may follow links, as those of `node:fs/promises` do. Before one has a path, {@link lstat} is asked for each directory on the way (256 names at most), and for
 * what is at its end where the method would follow that; links are refused. {@link rename}, {@link symlink} and {@link link} are called while no other method with a
 * path is, so that a guest puts no link anywhere in between.
 */
export interface FolderObject {
	/** What is at a path, links not followed. Without it {@link stat} is asked; then nothing of it is a link, and none are made (EROFS). */
	lstat?(path: string): Answer<FolderStat>;
	stat?(path: string): Answer<FolderStat>;
	readdir(path: string, options: {readonly withFileTypes: true}): Answer<readonly (string | FolderEntry)[]>;
	/** @param flags - of open(2); without O_CREAT the file is there */
	open?(path: string, flags: number, mode?: number): Answer<FolderFile>;
	/** Where there is no {@link open}: files are read and written whole. */
	readFile?(path: string): Answer<Uint8Array | string>;
	writeFile?(path: string, bytes: Uint8Array): Answer<void>;
	mkdir?(path: string, options: {readonly mode: number}): Answer<unknown>;
	rmdir?(path: string): Answer<void>;
	unlink?(path: string): Answer<void>;
	rename?(from: string, to: string): Answer<void>;
	symlink?(target: string, path: string): Answer<void>;
	readlink?(path: string): Answer<string | Uint8Array>;
	/** Of a link, the link itself has a further name. */
	link?(existing: string, path: string): Answer<void>;
	/** Of what is no link. */
	chmod?(path: string, mode: number): Answer<void>;
	/** The link itself. Without it {@link chown} is asked, of what is no link. */
	lchown?(path: string, uid: number, gid: number): Answer<void>;
	chown?(path: string, uid: number, gid: number): Answer<void>;
	/** Times in seconds since 1970. Of the link itself; without it {@link utimes} is asked, of what is no link. */
	lutimes?(path: string, atime: number, mtime: number): Answer<void>;
	utimes?(path: string, atime: number, mtime: number): Answer<void>;
	truncate?(path: string, length: number): Answer<void>;
	statfs?(path: string): Answer<FolderSpace>;
}
