import {addressOf, libc} from './libc.ts';

const [AF_INET, AF_INET6] = [2, 10];
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;
const [IPPROTO_IP, IPPROTO_ICMP, IPPROTO_UDP, IPPROTO_IPV6, IPPROTO_ICMPV6] = [0, 1, 17, 41, 58];
const [UDP_SEGMENT, IPV6_V6ONLY, IP_RECVERR, IPV6_RECVERR] = [103, 26, 11, 25];
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const MSG_ERRQUEUE = 0x2000;

const cSocket = libc('int socket(int domain, int type, int protocol)');
const cSetsockopt = libc('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');
const cSendto = libc(
	'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t addressLength)',
);
const cRecvmsg = libc('intptr_t recvmsg(int fd, void *message, int flags)');
const cRecvmmsg = libc('int recvmmsg(int fd, void *messages, uint32_t count, int flags, void *timeout)');

const [zero, one] = [new Uint8Array(Int32Array.of(0).buffer), new Uint8Array(Int32Array.of(1).buffer)];

/**
 * Opens a socket for datagrams of IPv4, or of both versions of IP, whose addresses of IPv4 are then mapped ones (ipv6(7)), non-blocking, which keeps what
 * {@link SocketErrors} reads. The descriptor, or the negated errno.
 */
export function openUdp(isV6: boolean): number {
	const fd = cSocket(isV6 ? AF_INET6 : AF_INET, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
	if (fd < 0) return fd;
	// Whatever the host has for all (net.ipv6.bindv6only).
	if (isV6) cSetsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, zero, zero.length);
	if (isV6) cSetsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, one, one.length);
	cSetsockopt(fd, IPPROTO_IP, IP_RECVERR, one, one.length);
	return fd;
}

/**
 * Opens a socket for echo requests of one version of IP and their answers, each with its ICMP header, non-blocking (icmp(7)): it needs no rights where
 * `net.ipv4.ping_group_range` has a group of the process. The descriptor, or the negated errno.
 */
export const openEcho = (isV6: boolean): number =>
	cSocket(isV6 ? AF_INET6 : AF_INET, SOCK_DGRAM_CLOEXEC_NONBLOCK, isV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

/** Sends a datagram, or several as {@link cutDatagrams} has it, to an address of `inetAddress`. Bytes, or the negated errno. */
export const sendDatagrams = (fd: number, bytes: Uint8Array, address: Uint8Array): number =>
	cSendto(fd, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);

/**
 * Has the kernel cut what is longer than so many bytes into datagrams of so many, 64 at most (udp(7), UDP_SEGMENT); 0: nothing is cut. 0, or the
 * negated errno.
 */
export const cutDatagrams = (fd: number, bytes: number): number => {
	const value = new Uint8Array(Int32Array.of(bytes).buffer);
	return cSetsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, value, value.length);
};

/** `struct mmsghdr`, `struct iovec` and the longest address, and where the fields lie that are used, on hosts of 64 bits (recvmmsg(2)). */
const [messageBytes, vectorBytes, addressBytes, datagramBytes] = [64, 16, 28, 65_536];
const at = {name: 0, nameLength: 8, vectors: 16, vectorCount: 24, length: 56};

/** Reads datagrams, several with one call. What was read stays until the next read. */
export class DatagramReader {
	readonly #count: number;
	readonly #messages: Uint8Array<ArrayBuffer>;
	readonly #view: DataView;
	readonly #addresses: Uint8Array<ArrayBuffer>;
	readonly #data: Uint8Array<ArrayBuffer>;

	/** @param count - datagrams of one call at most */
	constructor(count: number) {
		this.#count = count;
		this.#messages = new Uint8Array(new ArrayBuffer(count * (messageBytes + vectorBytes)));
		this.#view = new DataView(this.#messages.buffer);
		this.#addresses = new Uint8Array(new ArrayBuffer(count * addressBytes));
		this.#data = new Uint8Array(new ArrayBuffer(count * datagramBytes));
		const [messages, addresses, data] = [this.#messages, this.#addresses, this.#data].map(addressOf) as [
			bigint,
			bigint,
			bigint,
		];
		for (let i = 0; i < count; i++) {
			const vector = count * messageBytes + i * vectorBytes;
			this.#view.setBigUint64(i * messageBytes + at.name, addresses + BigInt(i * addressBytes), true);
			this.#view.setBigUint64(i * messageBytes + at.vectors, messages + BigInt(vector), true);
			this.#view.setBigUint64(i * messageBytes + at.vectorCount, 1n, true);
			this.#view.setBigUint64(vector, data + BigInt(i * datagramBytes), true);
			this.#view.setBigUint64(vector + 8, BigInt(datagramBytes), true);
		}
	}

	/** Reads what there is. How many datagrams, or the negated errno. */
	read(fd: number): number {
		for (let i = 0; i < this.#count; i++) this.#view.setUint32(i * messageBytes + at.nameLength, addressBytes, true);
		return cRecvmmsg(fd, this.#messages, this.#count, MSG_DONTWAIT_NOSIGNAL, null);
	}

	payload(index: number): Uint8Array {
		const start = index * datagramBytes;
		return this.#data.subarray(start, start + this.#view.getUint32(index * messageBytes + at.length, true));
	}

	/** Who has sent it: `struct sockaddr_in` or `struct sockaddr_in6`. */
	from(index: number): Uint8Array {
		const start = index * addressBytes;
		return this.#addresses.subarray(start, start + this.#view.getUint32(index * messageBytes + at.nameLength, true));
	}
}

/** `struct msghdr`, and `struct cmsghdr` with `struct sock_extended_err` and an address in its control data (recvmsg(2), ip(7)). */
const errorAt = {control: 32, controlLength: 40, level: 8, type: 12, errno: 16};
const [headerBytes, controlBytes] = [56, 64];

/** Reads what became of datagrams that did not arrive, as the network has told by ICMP (IP_RECVERR). What was read stays until the next read. */
export class SocketErrors {
	readonly #message = new Uint8Array(new ArrayBuffer(headerBytes));
	readonly #view = new DataView(this.#message.buffer);
	readonly #address = new Uint8Array(new ArrayBuffer(addressBytes));
	readonly #control = new Uint8Array(new ArrayBuffer(controlBytes));
	readonly #found = new DataView(this.#control.buffer);

	constructor() {
		this.#view.setBigUint64(at.name, addressOf(this.#address), true);
		this.#view.setBigUint64(errorAt.control, addressOf(this.#control), true);
	}

	/** The next one: an errno, and where the datagram went to, of `inetAddress`. Undefined where there is none. */
	read(fd: number): {readonly errno: number; readonly to: Uint8Array} | undefined {
		this.#view.setUint32(at.nameLength, addressBytes, true);
		this.#view.setBigUint64(errorAt.controlLength, BigInt(controlBytes), true);
		this.#control.fill(0);
		if (cRecvmsg(fd, this.#message, MSG_DONTWAIT_NOSIGNAL | MSG_ERRQUEUE) < 0) return undefined;
		const [level, type] = [this.#found.getInt32(errorAt.level, true), this.#found.getInt32(errorAt.type, true)];
		const isError = level === IPPROTO_IP ? type === IP_RECVERR : level === IPPROTO_IPV6 && type === IPV6_RECVERR;
		return {
			errno: isError ? this.#found.getUint32(errorAt.errno, true) : 0,
			to: this.#address.subarray(0, this.#view.getUint32(at.nameLength, true)),
		};
	}
}
