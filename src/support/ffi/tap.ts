import {close, O, open} from './fd.ts';
import {libc} from './libc.ts';

/** Requests of linux/if_tun.h, and flags of an interface. */
const [TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ] = [0x4004_54ca, 0x4004_54d0, 0x4004_54d8];
const [IFF_TAP, IFF_NO_PI, IFF_VNET_HDR] = [0x0002, 0x1000, 0x4000];
/** What a reader of frames does to them by itself: checksums, TCP over IPv4 and IPv6, with congestion told, UDP over both. */
const [basicOffloads, udpOffloads] = [0x0f, 0x60];
/** `struct ifreq`: a name of 16 bytes with its zero, and flags. */
const [requestBytes, nameBytes] = [40, 16];

const cIoctlPointer = libc('int ioctl(int fd, unsigned long request, void *argument)');
const cIoctlNumber = libc('int ioctl(int fd, unsigned long request, unsigned long argument)');

/** An opened tap interface. */
export interface TapOptions {
	/** Non-blocking, close-on-exec: each read and write is of a frame behind a `struct virtio_net_hdr_v1`. */
	readonly fd: number;
	/** The kernel cuts UDP too (Linux 6.2). */
	readonly cutsUdp: boolean;
}

/**
 * Opens a tap interface, which is made where there is none of that name and the process may (tuntap.rst of the kernel). Its frames have headers
 * that say what is still to be done to them.
 * @returns the negated errno where it cannot be had
 */
export function openTap(name: string): TapOptions | number {
	const fd = open('/dev/net/tun', O.RDWR | O.NONBLOCK);
	if (fd < 0) return fd;
	const request = new Uint8Array(requestBytes);
	request.set(new TextEncoder().encode(name).subarray(0, nameBytes - 1));
	new DataView(request.buffer).setUint16(nameBytes, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
	const result = cIoctlPointer(fd, TUNSETIFF, request);
	const sized = result < 0 ? result : cIoctlPointer(fd, TUNSETVNETHDRSZ, Uint8Array.of(12, 0, 0, 0));
	if (sized < 0) {
		close(fd);
		return sized;
	}
	const cutsUdp = cIoctlNumber(fd, TUNSETOFFLOAD, basicOffloads | udpOffloads) >= 0;
	if (!cutsUdp) cIoctlNumber(fd, TUNSETOFFLOAD, basicOffloads);
	return {fd, cutsUdp};
}
