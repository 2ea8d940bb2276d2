import ipaddr from 'ipaddr.js';

/** Version of IP. */
export type Family = 4 | 6;

/** The address that `bytes` are, four or sixteen, as people write it (RFC 5952). */
export const addressText = (bytes: Uint8Array): string =>
	bytes.length === 4 ? bytes.join('.') : ipaddr.fromByteArray([...bytes]).toString();

/** The bytes of an address in any of its forms, or undefined for what is none. Zones are no part of it. */
export function addressBytes(text: string): Uint8Array | undefined {
	const isAddress = ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(':') && ipaddr.IPv6.isValid(text));
	return isAddress ? Uint8Array.from(ipaddr.parse(text.replace(/%.*$/, '')).toByteArray()) : undefined;
}

/** The bytes of an address that is known to be one. */
export const bytesOf = (text: string): Uint8Array => addressBytes(text) as Uint8Array;

export const familyOf = (text: string): Family => (text.includes(':') ? 6 : 4);

/** True when both lists of bytes are the same, from `at` in the first. */
export function sameBytes(whole: Uint8Array, at: number, part: Uint8Array): boolean {
	for (let i = 0; i < part.length; i++) if (whole[at + i] !== part[i]) return false;
	return true;
}

/** The link-local address that a NIC gives itself (RFC 4291, 2.5.6 and appendix A). */
export function linkLocalOf(mac: Uint8Array): Uint8Array {
	const [a, b, c, d, e, f] = mac as unknown as [number, number, number, number, number, number];
	return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f);
}

/** Ethernet's address of an IPv6 multicast (RFC 2464, 7). */
export const multicastMac = (address: Uint8Array): Uint8Array => Uint8Array.of(0x33, 0x33, ...address.subarray(12));
