import type {
	GuestAgent,
	GuestFileEvent,
	GuestFileStatus,
	GuestFiles,
	GuestFolderEntry,
	WriteOptions,
} from '#main/agent';
import {abortable, type OperationSignal} from '#support/abort';
import type {VmInput, VmOutput} from './command.ts';

interface Cancelable {
	readonly signal?: OperationSignal;
}

/** Files of a guest, as its root sees them. Paths are absolute. They fail with AGENT_FAILED, which has the guest's errno, and with OPERATION_ABORTED. */
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
	/** Times are milliseconds since 1970. @param options - `follow`: false changes a link itself */
	utimes(
		path: string,
		atimeMs: number,
		mtimeMs: number,
		options?: Cancelable & {readonly follow?: boolean},
	): Promise<void>;
	/** What happens to a file or to the entries of a folder (not of those below), until the loop is left. */
	watch(path: string, options?: Cancelable): AsyncIterable<GuestFileEvent>;
}

/** Files by whatever connection to the agent there is when they are used. @param agent - waits for one until the signal is aborted; throws where there is none */
export function guestFiles(agent: (signal: OperationSignal | undefined) => Promise<GuestAgent>): VmFiles {
	const by = <T>(
		operation: keyof VmFiles,
		options: Cancelable | undefined,
		work: (files: GuestFiles) => T | Promise<T>,
	): Promise<T> =>
		abortable(`files.${operation}`, options?.signal, async () => work((await agent(options?.signal)).files));
	return {
		read: (path, options) => by('read', options, (files) => files.read(path, options)),
		readText: (path, options) =>
			by('readText', options, async (files) => (await files.read(path, options)).toString('utf8')),
		write: (path, content, options) => by('write', options, (files) => files.write(path, content, options)),
		readStream: (path, options) => by('readStream', options, (files) => files.readStream(path, options)),
		writeStream: (path, options) => by('writeStream', options, (files) => files.writeStream(path, options)),
		stat: (path, options) => by('stat', options, (files) => files.stat(path, options)),
		readdir: (path, options) => by('readdir', options, (files) => files.readdir(path, options)),
		mkdir: (path, options) => by('mkdir', options, (files) => files.mkdir(path, options)),
		remove: (path, options) => by('remove', options, (files) => files.remove(path, options)),
		rename: (from, to, options) => by('rename', options, (files) => files.rename(from, to, options)),
		symlink: (target, path, options) => by('symlink', options, (files) => files.symlink(target, path, options)),
		readlink: (path, options) => by('readlink', options, (files) => files.readlink(path, options)),
		chmod: (path, mode, options) => by('chmod', options, (files) => files.chmod(path, mode, options)),
		chown: (path, uid, gid, options) => by('chown', options, (files) => files.chown(path, uid, gid, options)),
		utimes: (path, atimeMs, mtimeMs, options) =>
			by('utimes', options, (files) => files.utimes(path, atimeMs, mtimeMs, options)),
		async *watch(path, options) {
			const found = await by('watch', options, (files) => files.watch(path, options));
			const events = found[Symbol.asyncIterator]();
			try {
				for (;;) {
					const {done, value} = await abortable('files.watch', options?.signal, () => events.next());
					if (done) return;
					yield value;
				}
			} finally {
				await events.return?.();
			}
		},
	};
}
