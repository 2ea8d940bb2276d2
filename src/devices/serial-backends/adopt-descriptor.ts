import {fstatSync} from 'node:fs';
import {Errno, O, open, setNonBlocking} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import {serialError} from './errors.ts';
import {HostStream} from './host-stream.ts';

/**
 * A stream over one of the process's own descriptors, such as standard output.
 *
 * Its non-blocking mode belongs to the open file, which other processes share (a shell its terminal). Terminals and
 * pipes are therefore opened anew through `/proc/self/fd`; only where that fails, and for sockets, is the mode of the
 * shared one changed. Regular files never wait, and opened anew they would start at offset 0.
 */
export function adoptDescriptor(
	fd: number,
	direction: 'read' | 'write',
	reactor: Reactor,
	ready: () => void,
): HostStream {
	const type = descriptorType(fd);
	if (type.isFIFO() || type.isCharacterDevice()) {
		const mode = direction === 'read' ? O.RDONLY : O.WRONLY;
		const reopened = open(`/proc/self/fd/${fd}`, mode | O.NONBLOCK | O.NOCTTY);
		if (reopened >= 0) return new HostStream(reopened, true, reactor, ready);
	}
	if (!type.isFile()) setNonBlocking(fd);
	return new HostStream(fd, false, reactor, ready);
}

function descriptorType(fd: number) {
	try {
		return fstatSync(fd);
	} catch (cause) {
		const errno = (cause as NodeJS.ErrnoException).errno ?? -Errno.EBADF;
		throw serialError('SERIAL_DESCRIPTOR_UNUSABLE', {fd, errno}, {cause});
	}
}
