import {ftruncateSync, writeFileSync} from 'node:fs';
import {close, errnoName, Memfd, memfdCreate} from '#support/ffi';
import type {CreateFile, SnapshotFile} from './files.ts';

/**
 * Files of a snapshot that has no folder: anonymous memory (memfd_create(2)), which machines map privately as they do a file's pages, and
 * which goes when nobody has it any more.
 */
export class MemoryFiles implements Disposable {
	readonly #fds = new Map<SnapshotFile, number>();

	/** Makes a file, which stays when it is closed. */
	readonly create: CreateFile = async (name) => {
		const fd = memfdCreate(`openvmm-snapshot-${name}`, Memfd.CLOEXEC);
		if (fd < 0) throw Object.assign(new Error('memfd_create'), {code: errnoName(fd)});
		this.#fds.set(name, fd);
		return {
			fd,
			truncate: async (bytes) => ftruncateSync(fd, bytes),
			writeFile: async (text) => writeFileSync(fd, text),
			[Symbol.asyncDispose]: async () => {},
		};
	};

	/** Gives the descriptor of a file, which is whoever takes it's to close. */
	readonly take = (name: SnapshotFile): number => {
		const fd = this.#fds.get(name);
		if (fd === undefined) throw new TypeError(`the snapshot has no ${name}`);
		this.#fds.delete(name);
		return fd;
	};

	/** Closes what nobody has taken. */
	[Symbol.dispose](): void {
		for (const fd of this.#fds.values()) close(fd);
		this.#fds.clear();
	}
}
