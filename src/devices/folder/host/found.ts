import {isRefused, type Refused} from '#devices/folder';
import {close} from '#support/ffi';
import {type HostStatus, statusOf} from './attributes-of.ts';

/** A descriptor for one call, which closes it unless somebody else has it. */
export interface Found extends HostStatus {
	readonly fd: number;
	readonly isBorrowed: boolean;
}

/** Looks at what has just been opened, which is closed where that fails. */
export function owned(fd: number): Found | Refused {
	if (fd < 0) return fd;
	const status = statusOf(fd);
	return isRefused(status) ? closed(fd, status) : {...status, fd, isBorrowed: false};
}

/** Looks at what somebody else has open. */
export function borrowed(fd: number): Found | Refused {
	const status = statusOf(fd);
	return isRefused(status) ? status : {...status, fd, isBorrowed: true};
}

/** Gives an answer when what it was asked of has been closed. */
export function closed<T>(fd: number, answer: T): T {
	close(fd);
	return answer;
}

/** Uses what has been found, and closes it then. */
export function closing<T>({fd, isBorrowed}: Found, use: () => T): T {
	try {
		return use();
	} finally {
		if (!isBorrowed) close(fd);
	}
}
