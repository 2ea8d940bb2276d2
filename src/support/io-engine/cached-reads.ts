import {Errno, readCached} from '#support/ffi';
import {FileAction, type FileOperation} from './io-engine.ts';

/** Reads what is in the host's page cache, on this thread and without waiting: what is not is somebody else's to read. */
export class CachedReads {
	/** The file system says what is there. It is not asked again when it has refused once. */
	#isPossible = true;

	/** @returns bytes that were there, which may be fewer than were asked for; 0 where this has done nothing */
	try({action, isCached, fd, vectors, count, offset}: FileOperation): number {
		if (action !== FileAction.READ || !isCached || !this.#isPossible) return 0;
		const result = readCached(fd, vectors, count, offset);
		if (result === -Errno.EOPNOTSUPP) this.#isPossible = false;
		// Whoever asks next meets the errors.
		return Math.max(0, result);
	}
}
