import {fstatSync} from 'node:fs';
import {canBeWatched, Errno, O, open, setNonBlocking} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import type {ByteStream, StreamOwner} from './byte-stream.ts';
import {serialError} from './errors.ts';
import {FileStream} from './file-stream.ts';
import {HostStream} from './host-stream.ts';

/**
 * A stream over one of the process's own descriptors, such as standard output.
 *
 * Its non-blocking mode belongs to the open file, which other processes share (a shell its terminal). Terminals and
 * pipes are therefore opened anew through `/proc/self/fd`; only where that fails, and for sockets, is the mode of the
 * shared one changed. Regular files do not heed it, and opened anew they would start at offset 0.
 */
export function adoptDescriptor(
	fd: number,
	direction: 'read' | 'write',
	reactor: Reactor,
	owner: StreamOwner,
): ByteStream {
	// Before it is asked about: the file system that a file is on may hang.
	if (!canBeWatched(fd)) return new FileStream(fd, false, reactor, owner);
	const type = descriptorType(fd);
	if (type.isFIFO() || type.isCharacterDevice()) {
		const mode = direction === 'read' ? O.RDONLY : O.WRONLY;
		const reopened = open(`/proc/self/fd/${fd}`, mode | O.NONBLOCK | O.NOCTTY);
		if (reopened >= 0) return openStream(reopened, true, reactor, owner);
	}
	setNonBlocking(fd);
	return new HostStream(fd, false, reactor, owner);
}

/** A stream over a descriptor that is non-blocking where it can be. @param owned - closed with the stream */
export const openStream = (fd: number, owned: boolean, reactor: Reactor, owner: StreamOwner): ByteStream =>
	new (canBeWatched(fd) ? HostStream : FileStream)(fd, owned, reactor, owner);

function descriptorType(fd: number) {
	try {
		return fstatSync(fd);
	} catch (cause) {
		const errno = (cause as NodeJS.ErrnoException).errno ?? -Errno.EBADF;
		throw serialError('SERIAL_DESCRIPTOR_UNUSABLE', {fd, errno}, {cause});
	}
}
