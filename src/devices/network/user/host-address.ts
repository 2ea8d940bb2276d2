import {networkInterfaces} from 'node:os';
import {inetAddress} from '#support/ffi';
import type {HostEnd} from './guest-link.ts';
import {bytesOf} from './packets/index.ts';

/** An address of the host's networks, as the kernel is told of it. */
export function socketAddress({address, port}: HostEnd): Uint8Array<ArrayBuffer> {
	const [plain = '', zone] = address.split('%');
	return inetAddress(bytesOf(plain), port, zone === undefined ? 0 : zoneOf(zone));
}

/** The index of an interface, by its name or as it is. */
const zoneOf = (zone: string): number =>
	networkInterfaces()[zone]?.find((each) => each.family === 'IPv6')?.scopeid ?? Number(zone);
