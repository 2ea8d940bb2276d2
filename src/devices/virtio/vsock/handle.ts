/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioVsockKind = 'virtio-vsock';

/** Type of the device (virtio 1.2, 5). */
export const virtioVsockId = 19;

/** Sockets between a guest and its host. */
export interface VirtioVsockConfig {
	/** The guest's address: 3 to 2^32 - 2. */
	readonly cid: number;
	/**
	 * A Unix socket of the host's: who connects there and writes `CONNECT PORT` reaches a port of the guest's. What the guest connects to on the host is
	 * the socket of this name with `_PORT` behind.
	 */
	readonly path: string;
}

/** Addresses that a guest may have: those below are nobody's, the hypervisor's and the host's (virtio 1.2, 5.10.4). */
export const [leastCid, mostCid] = [3, 2 ** 32 - 2];

/** Path of the host's socket for a port that guests connect to. */
export const portPath = (path: string, port: number): string => `${path}_${port}`;

/** Longest end of such a path. */
const mostPortLetters = portPath('', 2 ** 32 - 1).length;

/** Most bytes of {@link VirtioVsockConfig.path}, given the most that a socket's path may have. */
export const pathLimit = (socketLimit: number): number => socketLimit - mostPortLetters;
