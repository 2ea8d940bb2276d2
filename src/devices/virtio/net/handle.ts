import type {NicLimits} from '#devices/network/limit';
import type {NetworkSource} from '#devices/network/source';

/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioNetKind = 'virtio-net';

/** Type of the device (virtio 1.2, 5). */
export const virtioNetId = 1;

/** A NIC. */
export interface VirtioNetConfig {
	/** What carries its frames. */
	readonly endpoint: NetworkSource;
	/** Written `00:15:5d:01:02:03`; of one guest and no group. */
	readonly mac: string;
	/** Bytes of a packet: 68 to 65535. */
	readonly mtu: number;
	/** Pairs of queues: 1 to 8. */
	readonly queues: number;
	/** A file that frames are written to as they pass, in pcapng. */
	readonly capture?: string;
	/** How much it may pass on. */
	readonly limits?: NicLimits;
	/** Its rings may be packed, where the driver knows that format. */
	readonly packed: boolean;
}

export const mostPairs = 8;
/** Ethernet's usual packet, and bounds of what a NIC may have. */
export const [usualMtu, leastMtu, mostMtu] = [1500, 68, 65_535];

/** The bytes of a MAC address as text; undefined for one that no NIC has: of a group, of nobody, or none at all. */
export function macBytes(text: string): Uint8Array | undefined {
	if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
	const found = Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
	return ((found[0] as number) & 1) !== 0 || found.every((byte) => byte === 0) ? undefined : found;
}
