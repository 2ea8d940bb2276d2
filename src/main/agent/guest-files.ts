import type {Readable, Writable} from 'node:stream';
import type {OperationSignal} from '#support/abort';

/** Kind of a file in the guest. */
export type GuestFileKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device';

/** What stat(2) of the guest says of a file. */
export interface GuestFileStatus {
	readonly kind: GuestFileKind;
	/** Permissions, and the set-id and sticky bits: 0 to 0o7777. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	/** Bytes. */
	readonly size: number;
	/** Milliseconds since 1970, UTC. */
	readonly mtimeMs: number;
	readonly atimeMs: number;
	readonly ctimeMs: number;
	readonly inode: bigint;
	readonly links: number;
}

/** An entry of a folder. */
export interface GuestFolderEntry {
	readonly name: string;
	/** Undefined where the file system does not say. */
	readonly kind: GuestFileKind | undefined;
}

/** How a file is written. */
export interface WriteOptions {
	/** Permissions of a new file; 0o644, less the guest's mask. */
	readonly mode?: number;
	/** Writes at its end. */
	readonly append?: boolean;
	/** Writes to a temporary file beside it, which takes its name when all has been written: nobody sees a half. */
	readonly atomic?: boolean;
	readonly signal?: OperationSignal;
}

/** What happened to an entry of a watched folder, or to a watched file. */
export interface GuestFileEvent {
	/** `overflow`: events were lost, since the guest had more than anybody read. */
	readonly kind:
		| 'created'
		| 'modified'
		| 'attributes'
		| 'deleted'
		| 'moved-from'
		| 'moved-to'
		| 'closed'
		| 'gone'
		| 'overflow';
	/** The entry; empty for the watched file itself. */
	readonly name: string;
	readonly isFolder: boolean;
	/** Equal in both halves of a move; 0 otherwise. */
	readonly cookie: number;
}

interface Cancelable {
	readonly signal?: OperationSignal;
}

/**
 * Files of the guest, as its root sees them. Paths are absolute. What is no UTF-8 of a name has U+FFFD in its place, and cannot be asked for by it.
 * @throws VmmError AGENT_FAILED with the guest's errno and the step that failed
 */
export interface GuestFiles {
	/** @param options - `most`: bytes above which it fails with AGENT_OUTPUT_TOO_LONG; 64 MiB */
	read(path: string, options?: Cancelable & {readonly most?: number}): Promise<Buffer>;
	write(path: string, content: Uint8Array | string, options?: WriteOptions): Promise<void>;
	/** @param options - `start`: byte to begin at */
	readStream(path: string, options?: Cancelable & {readonly start?: number}): Readable;
	/** Its `finish` comes when the guest has written all. */
	writeStream(path: string, options?: WriteOptions): Writable;
	/** @param options - `follow`: what a link leads to, which is the default; false: the link */
	stat(path: string, options?: Cancelable & {readonly follow?: boolean}): Promise<GuestFileStatus>;
	readdir(path: string, options?: Cancelable): Promise<GuestFolderEntry[]>;
	mkdir(path: string, options?: Cancelable & {readonly recursive?: boolean; readonly mode?: number}): Promise<void>;
	/** Follows no link. @param options - `recursive`: folders with what is in them; `force`: nothing there is no error */
	remove(path: string, options?: Cancelable & {readonly recursive?: boolean; readonly force?: boolean}): Promise<void>;
	rename(from: string, to: string, options?: Cancelable): Promise<void>;
	symlink(target: string, path: string, options?: Cancelable): Promise<void>;
	readlink(path: string, options?: Cancelable): Promise<string>;
	chmod(path: string, mode: number, options?: Cancelable): Promise<void>;
	/** @param options - `follow`: false changes a link itself */
	chown(path: string, uid: number, gid: number, options?: Cancelable & {readonly follow?: boolean}): Promise<void>;
	/** Times are milliseconds since 1970. */
	utimes(
		path: string,
		atimeMs: number,
		mtimeMs: number,
		options?: Cancelable & {readonly follow?: boolean},
	): Promise<void>;
	/** What happens to a file or to the entries of a folder (not of those below), until the loop is left. */
	watch(path: string, options?: Cancelable): AsyncIterable<GuestFileEvent>;
}
