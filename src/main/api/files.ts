import type {GuestAgent, GuestFileEvent, GuestFileStatus, GuestFolderEntry, WriteOptions} from '#main/agent';
import type {OperationSignal} from '#support/abort';
import type {VmInput, VmOutput} from './command.ts';

interface Cancelable {
	readonly signal?: OperationSignal;
}

/** Files of a guest, as its root sees them. Paths are absolute. They fail with AGENT_FAILED, which has the guest's errno. */
export interface VmFiles {
	/** @param options - `most`: bytes above which it fails with AGENT_OUTPUT_TOO_LONG; 64 MiB if not given */
	read(path: string, options?: Cancelable & {readonly most?: number}): Promise<Uint8Array>;
	/** As {@link read}, as UTF-8. */
	readText(path: string, options?: Cancelable & {readonly most?: number}): Promise<string>;
	write(path: string, content: Uint8Array | string, options?: WriteOptions): Promise<void>;
	readStream(path: string, options?: Cancelable & {readonly start?: number}): Promise<VmOutput>;
	/** Its `finish` comes when the guest has written all. */
	writeStream(path: string, options?: WriteOptions): Promise<VmInput>;
	stat(path: string, options?: Cancelable & {readonly follow?: boolean}): Promise<GuestFileStatus>;
	readdir(path: string, options?: Cancelable): Promise<GuestFolderEntry[]>;
	mkdir(path: string, options?: Cancelable & {readonly recursive?: boolean; readonly mode?: number}): Promise<void>;
	remove(path: string, options?: Cancelable & {readonly recursive?: boolean; readonly force?: boolean}): Promise<void>;
	rename(from: string, to: string, options?: Cancelable): Promise<void>;
	symlink(target: string, path: string, options?: Cancelable): Promise<void>;
	readlink(path: string, options?: Cancelable): Promise<string>;
	chmod(path: string, mode: number, options?: Cancelable): Promise<void>;
	chown(path: string, uid: number, gid: number, options?: Cancelable & {readonly follow?: boolean}): Promise<void>;
	/** What happens to a file or to the entries of a folder (not of those below), until the loop is left. */
	watch(path: string, options?: Cancelable): AsyncIterable<GuestFileEvent>;
}

/** Files by whatever connection to the agent there is when they are used. @param agent - waits for one until the signal is aborted; throws where there is none */
export function guestFiles(agent: (signal: OperationSignal | undefined) => Promise<GuestAgent>): VmFiles {
	const by = async (options: Cancelable | undefined) => (await agent(options?.signal)).files;
	return {
		read: async (path, options) => (await by(options)).read(path, options),
		readText: async (path, options) => (await (await by(options)).read(path, options)).toString('utf8'),
		write: async (path, content, options) => (await by(options)).write(path, content, options),
		readStream: async (path, options) => (await by(options)).readStream(path, options),
		writeStream: async (path, options) => (await by(options)).writeStream(path, options),
		stat: async (path, options) => (await by(options)).stat(path, options),
		readdir: async (path, options) => (await by(options)).readdir(path, options),
		mkdir: async (path, options) => (await by(options)).mkdir(path, options),
		remove: async (path, options) => (await by(options)).remove(path, options),
		rename: async (from, to, options) => (await by(options)).rename(from, to, options),
		symlink: async (target, path, options) => (await by(options)).symlink(target, path, options),
		readlink: async (path, options) => (await by(options)).readlink(path, options),
		chmod: async (path, mode, options) => (await by(options)).chmod(path, mode, options),
		chown: async (path, uid, gid, options) => (await by(options)).chown(path, uid, gid, options),
		async *watch(path, options) {
			yield* (await by(options)).watch(path, options);
		},
	};
}
