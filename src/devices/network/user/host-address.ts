import {lookup} from 'node:dns/promises';
import {networkInterfaces} from 'node:os';
import {inetAddress} from '#support/ffi';
import type {GuestLink, HostEnd} from './guest-link.ts';
import {bytesOf, type Family} from './packets/index.ts';
import type {Attempt} from './policy/index.ts';

/** What stands before an address of IPv4 where one of IPv6 is wanted (RFC 4291, 2.5.5.2). */
const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** An address of the host's networks, as the kernel is told of it. @param family - of the socket; the address's own without it */
export function socketAddress({address, port}: HostEnd, family?: Family): Uint8Array<ArrayBuffer> {
	const [plain = '', zone] = address.split('%');
	const bytes = bytesOf(plain);
	const wanted = family === 6 && bytes.length === 4 ? Uint8Array.of(...mapped, ...bytes) : bytes;
	return inetAddress(wanted, port, zone === undefined ? 0 : zoneOf(zone));
}

/** The index of an interface, by its name or as it is. */
const zoneOf = (zone: string): number =>
	networkInterfaces()[zone]?.find((each) => each.family === 'IPv6')?.scopeid ?? Number(zone);

/** Where policy has what a guest sends to an end go to, without a connection: undefined for nowhere. */
export async function permittedEnd(
	{policy, names}: Pick<GuestLink, 'policy' | 'names'>,
	attempt: Attempt & {address: string},
	family: Family,
): Promise<HostEnd | undefined> {
	const {address, port = 0} = attempt;
	const verdict = await policy.connection(attempt, names);
	if (verdict.kind === 'allow') return {address, port};
	if (verdict.kind !== 'redirect') return undefined;
	// It may be a name, or written in another way than the address that answers.
	const found = await lookup(verdict.address, {family});
	return {address: found.address.replace(/%.*$/, ''), port: verdict.port};
}
