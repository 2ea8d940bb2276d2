import {addressBytes, addressText, linkLocalOf, sameBytes} from './packets/index.ts';

/** A network's own addresses. The link's are those of OpenVMM's consomme. */
export interface NetworkPlan {
	readonly gateway: Uint8Array;
	readonly mask: Uint8Array;
	/** Bits that the network's addresses have in common. */
	readonly bits: number;
	readonly mac: Uint8Array;
	readonly gateway6: Uint8Array;
	readonly linkLocal: Uint8Array;
	/** Of 64 bits: guests make addresses of their own below it. */
	readonly prefix6: Uint8Array;
	/** True for the addresses that all of the network have: that with no bit of a host's set, and that with all (RFC 1122, 3.2.1.3). */
	isForAll(address: Uint8Array): boolean;
	/** True for an address of the network's own: nothing of the host's network is behind it. */
	isOnLink(address: Uint8Array): boolean;
	/** The address that the guest with this number, from 0 on, is given; undefined where there are not so many. */
	guest(number: number): Uint8Array | undefined;
}

const mac = Uint8Array.of(0x52, 0x55, 10, 0, 0, 1);
/** Unique local (RFC 4193, 3): `OpenV` as its global identifier, subnet 0. Guests prefer IPv4 to it where a name has both (RFC 6724, 10.3). */
const prefix6 = Uint8Array.of(0xfd, 0x4f, 0x70, 0x65, 0x6e, 0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
/** Below these a network has no room for a gateway, a guest and a broadcast; above, addresses of others. */
const [leastBits, mostBits] = [8, 29];

/** Reads `address/bits`, of which the gateway is the first and guests have the next. Undefined for what is no such network. */
export function planOf(cidr: string): NetworkPlan | undefined {
	const [text = '', bitsText = ''] = cidr.split('/');
	const address = addressBytes(text);
	const bits = /^\d{1,2}$/.test(bitsText) ? Number(bitsText) : -1;
	if (address?.length !== 4 || bits < leastBits || bits > mostBits) return undefined;
	const size = 2 ** (32 - bits);
	const whole = new DataView(address.buffer).getUint32(0);
	const base = whole - (whole % size);
	const at = (offset: number) =>
		Uint8Array.of(...[24, 16, 8, 0].map((shift) => Math.floor((base + offset) / 2 ** shift) % 256));
	const [first, last] = [at(0), at(size - 1)];
	const gateway6 = prefix6.slice();
	gateway6[15] = 1;
	return {
		gateway: at(1),
		mask: Uint8Array.of(...[24, 16, 8, 0].map((shift) => Math.floor((2 ** 32 - size) / 2 ** shift) % 256)),
		bits,
		mac,
		gateway6,
		linkLocal: linkLocalOf(mac),
		prefix6,
		isForAll: (other) => other.length === 4 && (sameBytes(other, 0, first) || sameBytes(other, 0, last)),
		isOnLink: (other) =>
			other.length === 4
				? Math.floor(new DataView(other.buffer, other.byteOffset).getUint32(0) / size) * size === base
				: sameBytes(other, 0, prefix6.subarray(0, 8)),
		guest: (number) => (number + 2 < size - 1 ? at(number + 2) : undefined),
	};
}

/** How a plan is told. */
export const planText = ({gateway, bits}: NetworkPlan): string => `${addressText(gateway)}/${bits}`;
