import {Errno} from './errno.ts';
import {close, O, open} from './fd.ts';
import {libc} from './libc.ts';

/** Requests of linux/if_tun.h, and flags of an interface. */
const [TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ] = [0x4004_54ca, 0x4004_54d0, 0x4004_54d8];
const [IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR] = [0x0002, 0x0100, 0x1000, 0x4000];
/** What a reader of frames does to them by itself: checksums, TCP over IPv4 and IPv6, with congestion told, UDP over both. */
const [basicOffloads, udpOffloads] = [0x0f, 0x60];
/** `struct ifreq`: a name of 16 bytes with its zero, and flags. */
const [requestBytes, nameBytes] = [40, 16];

const cIoctlPointer = libc('int ioctl(int fd, unsigned long request, void *argument)');
const cIoctlNumber = libc('int ioctl(int fd, unsigned long request, unsigned long argument)');

/** An opened tap interface. */
export interface TapOptions {
	/**
	 * A descriptor for each of its queues. Non-blocking, close-on-exec: each read and write is of a frame behind a `struct virtio_net_hdr_v1`.
	 */
	readonly fds: readonly number[];
	/** The kernel cuts UDP too (Linux 6.2). */
	readonly cutsUdp: boolean;
}

/**
 * Opens a tap interface, which is made where there is none of that name and the process may (tuntap.rst of the kernel). Its frames have headers
 * that say what is still to be done to them. What a flow is answered by comes by the queue that its last frame was written to.
 * @param queues - one alone is opened of an interface that was made without `multi_queue`
 * @returns the negated errno where it cannot be had
 */
export function openTap(name: string, queues: number): TapOptions | number {
	let isMultiple = queues > 1;
	let fd = openQueue(name, isMultiple);
	// Of one that is there already this has to be said as it was made (tun_set_iff of the kernel).
	if (fd === -Errno.EINVAL) {
		isMultiple = !isMultiple;
		fd = openQueue(name, isMultiple);
	}
	if (fd < 0) return fd;
	const fds = [fd];
	while (isMultiple && fds.length < queues) {
		const next = openQueue(name, isMultiple);
		if (next < 0) {
			for (const each of fds) close(each);
			return next;
		}
		fds.push(next);
	}
	const cutsUdp = cIoctlNumber(fd, TUNSETOFFLOAD, basicOffloads | udpOffloads) >= 0;
	if (!cutsUdp) cIoctlNumber(fd, TUNSETOFFLOAD, basicOffloads);
	return {fds, cutsUdp};
}

/** A queue of an interface, or the negated errno. */
function openQueue(name: string, isMultiple: boolean): number {
	const fd = open('/dev/net/tun', O.RDWR | O.NONBLOCK);
	if (fd < 0) return fd;
	const request = new Uint8Array(requestBytes);
	request.set(new TextEncoder().encode(name).subarray(0, nameBytes - 1));
	const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (isMultiple ? IFF_MULTI_QUEUE : 0);
	new DataView(request.buffer).setUint16(nameBytes, flags, true);
	const result = cIoctlPointer(fd, TUNSETIFF, request);
	const sized = result < 0 ? result : cIoctlPointer(fd, TUNSETVNETHDRSZ, Uint8Array.of(12, 0, 0, 0));
	if (sized >= 0) return fd;
	close(fd);
	return sized;
}
