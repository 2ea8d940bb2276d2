/** An address of a NIC (IEEE 802, 8.2), as people write it: `02:00:00:00:00:ab`. */
export const macText = (mac: Uint8Array): string =>
	[...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
