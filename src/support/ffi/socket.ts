import {Errno} from './errno.ts';
import {close} from './fd.ts';
import {inetAddress} from './inet-socket.ts';
import {addressOf, libc, libcInPool, libcResultInPool} from './libc.ts';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_CLOEXEC_NONBLOCK = 1 | 0o2000000 | 0o4000;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
/** Clients that the kernel keeps for a listener that serves one at a time. */
const fewWaiting = 1;

const cSocket = libc('int socket(int domain, int type, int protocol)');
const cBindInPool = libcInPool('int bind(int fd, uintptr_t address, uint32_t length)');
const cBindResultInPool = libcResultInPool('int bind(int fd, uintptr_t address, uint32_t length)');
const cBind = libc('int bind(int fd, const void *address, uint32_t length)');
const cConnect = libc('int connect(int fd, const void *address, uint32_t length)');
const cListen = libc('int listen(int fd, int backlog)');
const cAccept = libc('int accept4(int fd, void *address, void *length, int flags)');
const cConnectInPool = libcResultInPool('int connect(int fd, uintptr_t address, uint32_t length)');
const cSocketpair = libc('int socketpair(int domain, int type, int protocol, void *pair)');
const cSend = libc('intptr_t send(int fd, const void *bytes, size_t length, int flags)');
const cShutdown = libc('int shutdown(int fd, int how)');
const cSetsockopt = libc('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');

/** Longest path of a Unix socket (unix(7)). */
export const unixPathLimit = 107;

/** 4 or 6 for an IP literal, else 0. The module behind it is large, and few threads ever need it. */
export const ipVersion = (host: string): number => process.getBuiltinModule('node:net').isIP(host);

/**
 * Listens on a Unix socket, non-blocking. A thread of Node's pool makes its file, since a file system may take its time. Resolves with the
 * descriptor or the negated errno.
 * @param waiting - clients that the kernel keeps until they are accepted; others are refused (EAGAIN)
 */
export async function listenUnix(path: string, waiting = fewWaiting): Promise<number> {
	const address = unixAddress(path);
	const fd = cSocket(AF_UNIX, SOCK_STREAM_CLOEXEC_NONBLOCK, 0);
	if (fd < 0) return fd;
	await cBindInPool(fd, addressOf(address), address.length);
	if (cListen(fd, waiting) >= 0) return fd;
	// It has no name (unix(7)): what bind(2) said nobody has heard, and it says it again.
	const bound = cBind(fd, address, address.length);
	const result = bound < 0 ? bound : cListen(fd, waiting);
	if (result >= 0) return fd;
	close(fd);
	return result;
}

/**
 * Connects to a Unix socket, non-blocking from then on. A thread of Node's pool looks its file up. Resolves with the descriptor or the
 * negated errno: -EAGAIN where as many clients wait as the listener has room for, or as many calls as the pool has.
 */
export async function connectUnix(path: string): Promise<number> {
	const fd = cSocket(AF_UNIX, SOCK_STREAM_CLOEXEC_NONBLOCK, 0);
	if (fd < 0) return fd;
	const result = await inPool(cConnectInPool, fd, unixAddress(path));
	if (result >= 0) return fd;
	close(fd);
	return result;
}

/**
 * Sends what a socket has room for, send(2), also where the socket would keep its writers waiting: it may be other processes' too, which have it as it
 * is. Returns how many bytes, or the negated errno: -EAGAIN where there is no room.
 */
export const sendNow = (fd: number, bytes: Uint8Array): number => cSend(fd, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL);

/** Ends one direction of a connection, shutdown(2): what this side reads, or what it writes. 0 or the negated errno. */
export const endDirection = (fd: number, which: 'read' | 'write'): number => cShutdown(fd, which === 'read' ? 0 : 1);

/** Two Unix sockets that are each other's ends, non-blocking; undefined where the process has no descriptors left. */
export function socketPair(): readonly [number, number] | undefined {
	const pair = new Int32Array(new ArrayBuffer(8));
	const isMade = cSocketpair(AF_UNIX, SOCK_STREAM_CLOEXEC_NONBLOCK, 0, pair) >= 0;
	return isMade ? [pair[0] as number, pair[1] as number] : undefined;
}

/** A Unix socket for datagrams that has a path; else as {@link listenUnix}. */
export async function openDatagrams(path: string): Promise<number> {
	const fd = cSocket(AF_UNIX, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
	if (fd < 0) return fd;
	const result = await inPool(cBindResultInPool, fd, unixAddress(path));
	if (result >= 0) return fd;
	close(fd);
	return result;
}

/** Has a socket for datagrams send to another one, and receive from it alone. 0, or the negated errno. */
export const connectDatagrams = (fd: number, path: string): number => {
	const address = unixAddress(path);
	return cConnect(fd, address, address.length);
};

/** `struct sockaddr_un`, in a buffer of its own: V8 moves what is small with its garbage collection. */
function unixAddress(path: string): Uint8Array<ArrayBuffer> {
	const address = new Uint8Array(new ArrayBuffer(2 + unixPathLimit + 1));
	new DataView(address.buffer).setUint16(0, AF_UNIX, true);
	address.set(new TextEncoder().encode(path).subarray(0, unixPathLimit), 2);
	return address;
}

/** Calls with an address, which is kept until the call is over. */
const inPool = (call: ReturnType<typeof libcResultInPool>, fd: number, address: Uint8Array): Promise<number> =>
	new Promise<number>((resolve) => {
		call([fd, Number(addressOf(address)), address.length], (result) =>
			resolve(address.length > 0 ? result : -Errno.EINVAL),
		);
	}).catch(() => -Errno.EAGAIN);

/** Listens on a TCP address given as an IP literal, non-blocking. Returns the descriptor or the negated errno. */
export function listenTcp(host: string, port: number): number {
	const v6 = ipVersion(host) === 6;
	const address = inetAddress(v6 ? parseV6(host) : Uint8Array.from(host.split('.'), Number), port);
	return listenOn(v6 ? AF_INET6 : AF_INET, address);
}

/** Accepts a waiting connection, non-blocking. Returns the descriptor or the negated errno (-EAGAIN: none waits). */
export const accept = (fd: number): number => cAccept(fd, null, null, 0o2000000 | 0o4000);

/** Reasons of {@link accept} that concern the client alone, which is as if it had never come. */
export const clientLeft: ReadonlySet<number> = new Set([Errno.EAGAIN, Errno.EINTR, Errno.ECONNABORTED]);

/** Removes what an earlier listener left. Anything but a socket stays, and makes listening fail. */
export async function removeUnixSocket(path: string): Promise<void> {
	const {lstat, unlink} = process.getBuiltinModule('node:fs/promises');
	try {
		if ((await lstat(path)).isSocket()) await unlink(path);
	} catch {
		// Nothing there, or not ours to remove: listening will say what is wrong.
	}
}

function listenOn(domain: number, address: Uint8Array): number {
	const fd = cSocket(domain, SOCK_STREAM_CLOEXEC_NONBLOCK, 0);
	if (fd < 0) return fd;
	cSetsockopt(fd, SOL_SOCKET, SO_REUSEADDR, Uint8Array.of(1, 0, 0, 0), 4);
	const bound = cBind(fd, address, address.length);
	const result = bound < 0 ? bound : cListen(fd, fewWaiting);
	if (result >= 0) return fd;
	close(fd);
	return result;
}

/** The 16 bytes of an IPv6 literal. */
function parseV6(host: string): Uint8Array {
	const canonical = new URL(`http://[${host}]/`).hostname.slice(1, -1);
	const [head = '', tail] = canonical.split('::');
	const groups = (text: string | undefined) => (text ? text.split(':').map((group) => Number.parseInt(group, 16)) : []);
	const [front, back] = [groups(head), groups(tail)];
	const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
	return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
