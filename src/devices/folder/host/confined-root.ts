import {type Name, nameBytes, pathBytes, type Refused} from '#devices/folder';
import {close, Errno, OAt, openAt, Resolve} from '#support/ffi';

/** Renames that may come in between before a resolution is given up; the kernel asks for another try (openat2(2), EAGAIN). */
const mostTries = 16;

/**
 * A directory of the host's out of which no path leads. Each resolution begins at it anew and is the kernel's own, in one step: it
 * refuses `..`, links of every kind, and other mounts where they are not wanted, whoever renames whatever meanwhile. So a directory that is moved
 * out of it is not in it from then on, and no descriptor of one is kept.
 */
export class ConfinedRoot {
	readonly fd: number;
	readonly #resolve: number;

	/** @param fd - an O_PATH descriptor, which becomes this one's */
	constructor(fd: number, submounts: boolean) {
		this.fd = fd;
		const confined = Resolve.BENEATH | Resolve.NO_SYMLINKS | Resolve.NO_MAGICLINKS;
		this.#resolve = submounts ? confined : confined | Resolve.NO_XDEV;
	}

	/** Opens whatever is at a path (`` for the directory itself), without using it: a link or a device too. */
	find(path: string): number {
		return this.#open(this.fd, path === '' ? '.' : path, OAt.PATH | OAt.NOFOLLOW, 0);
	}

	/** The same for a name in a directory that is open. */
	findIn(directory: number, name: Name): number {
		return this.#open(directory, name, OAt.PATH | OAt.NOFOLLOW, 0);
	}

	/** Makes a regular file in a directory that is open, where there is nothing of that name. */
	create(directory: number, name: Name, flags: number, mode: number): number {
		return this.#open(directory, name, flags | OAt.NOFOLLOW, mode);
	}

	close(): void {
		close(this.fd);
	}

	#open(directory: number, path: string, flags: number, mode: number): number {
		const bytes = pathBytes(path);
		for (let tries = 0; ; tries++) {
			const fd = openAt(directory, bytes, flags, mode, this.#resolve);
			if (fd !== -Errno.EAGAIN || tries === mostTries) return fd;
		}
	}
}

/** A name as C takes it. */
export const cName = (name: Name): Uint8Array => nameBytes(`${name}\0`);

/** What became of a node's place, as its guest is told: another kind of file on the way there is as good as none. */
export const placeError = (refused: Refused): Refused =>
	refused === -Errno.ENOENT || refused === -Errno.ENOTDIR || refused === -Errno.ELOOP || refused === -Errno.EXDEV
		? -Errno.ESTALE
		: refused;
