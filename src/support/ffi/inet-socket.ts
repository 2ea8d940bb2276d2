import {Errno} from './errno.ts';
import {close} from './fd.ts';
import {libc} from './libc.ts';

const [AF_INET, AF_INET6] = [2, 10];
const SOCK_STREAM_CLOEXEC_NONBLOCK = 1 | 0o2000000 | 0o4000;
const [SOL_SOCKET, IPPROTO_TCP] = [1, 6];
const [SO_ERROR, SO_LINGER, TCP_NODELAY] = [4, 13, 1];

const cSocket = libc('int socket(int domain, int type, int protocol)');
const cConnect = libc('int connect(int fd, const void *address, uint32_t length)');
const cSetsockopt = libc('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');
const cGetsockopt = libc('int getsockopt(int fd, int level, int name, void *value, void *length)');

const one = new Uint8Array(Int32Array.of(1).buffer);
/** `struct linger`: on, and no seconds. */
const noLinger = new Uint8Array(Int32Array.of(1, 0).buffer);

/**
 * `struct sockaddr_in` or `struct sockaddr_in6` of an address of four or sixteen bytes.
 * @param zone - index of the interface that a link-local address of IPv6 is on
 */
export function inetAddress(address: Uint8Array, port: number, zone = 0): Uint8Array<ArrayBuffer> {
	const isV6 = address.length === 16;
	// In a buffer of its own: V8 moves what is small with its garbage collection.
	const struct = new Uint8Array(new ArrayBuffer(isV6 ? 28 : 16));
	const view = new DataView(struct.buffer);
	view.setUint16(0, isV6 ? AF_INET6 : AF_INET, true);
	view.setUint16(2, port, false);
	struct.set(address, isV6 ? 8 : 4);
	if (isV6) view.setUint32(24, zone, true);
	return struct;
}

/**
 * Begins to connect a TCP socket, non-blocking.
 * @param address - of {@link inetAddress}
 * @returns the descriptor, and whether it is connected already; or the negated errno
 */
export function connectTcp(address: Uint8Array): {readonly fd: number; readonly isConnected: boolean} | number {
	const fd = cSocket(address.length === 16 ? AF_INET : AF_INET6, SOCK_STREAM_CLOEXEC_NONBLOCK, 0);
	if (fd < 0) return fd;
	let result = cConnect(fd, address, address.length);
	// On loopback it is done by now, and the second call says so (connect(2), EALREADY otherwise).
	if (result === -Errno.EINPROGRESS) result = cConnect(fd, address, address.length);
	if (result === 0 || result === -Errno.EALREADY) return {fd, isConnected: result === 0};
	close(fd);
	return result;
}

/** Has what is written to a TCP socket sent at once, however little it is (tcp(7), TCP_NODELAY). */
export const sendAtOnce = (fd: number): number => cSetsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, one.length);

/** What a socket has failed with since it was asked last (SO_ERROR): 0, or the negated errno. */
export function socketError(fd: number): number {
	const value = new Int32Array(new ArrayBuffer(8));
	value[1] = 4;
	const result = cGetsockopt(fd, SOL_SOCKET, SO_ERROR, value.subarray(0, 1), value.subarray(1));
	return result < 0 ? result : -(value[0] as number);
}

/** Has the socket's other end told by a reset that this one is gone, once it is closed (SO_LINGER). */
export const resetOnClose = (fd: number): number => cSetsockopt(fd, SOL_SOCKET, SO_LINGER, noLinger, noLinger.length);
