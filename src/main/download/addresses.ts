import {lookup} from 'node:dns/promises';
import {isIP, type LookupFunction} from 'node:net';
import ipaddr from 'ipaddr.js';

/** An address of a host. */
interface Address {
	readonly address: string;
	readonly family: number;
}

/** How far an address is: whoever sends somebody on may send no nearer than where it is itself. */
export const Reach = {internet: 0, network: 1, host: 2} as const;
export type Reach = (typeof Reach)[keyof typeof Reach];

/** Addresses of a host, looked up once: whoever connects takes one of these and asks nobody again. */
export interface Addresses {
	/** The nearest of them: what is connected to may be as near as this. */
	readonly nearest: Reach;
	/** The farthest of them: whoever answers may be as far as this. */
	readonly farthest: Reach;
	/** Gives these addresses in place of a name server's. */
	readonly lookup: LookupFunction;
}

/** Looks up the addresses of a URL's host. */
export type Resolve = (url: URL) => Promise<Addresses>;

/** {@link Addresses} as the host's resolver has them. */
export class HostAddresses implements Addresses {
	readonly #all: readonly Address[];

	private constructor(all: readonly Address[]) {
		this.#all = all;
	}

	static async of({hostname}: URL): Promise<HostAddresses> {
		const host = hostname.replace(/^\[(.*)\]$/, '$1');
		const family = isIP(host);
		return new HostAddresses(family === 0 ? await lookup(host, {all: true}) : [{address: host, family}]);
	}

	get nearest(): Reach {
		return Math.max(...this.#all.map(({address}) => reachOf(address))) as Reach;
	}

	get farthest(): Reach {
		return Math.min(...this.#all.map(({address}) => reachOf(address))) as Reach;
	}

	readonly lookup: LookupFunction = (_name, options, callback) => {
		const wanted = options.family === 4 || options.family === 6 ? options.family : undefined;
		const found = this.#all.filter(({family}) => wanted === undefined || family === wanted);
		const [first] = found;
		if (first === undefined) callback(Object.assign(new Error('no such address'), {code: 'ENOTFOUND'}), '', 0);
		else if (options.all) callback(null, [...found]);
		else callback(null, first.address, first.family);
	};
}

/** Of this host and of its links, where clouds have what tells a machine its secrets, is whatever has no other range. */
function reachOf(address: string): Reach {
	const found = ipaddr.process(address);
	const range = found.range();
	// An IPv4 address, as networks without IPv4 have it (RFC 6052).
	if (range === 'rfc6052') return reachOf(new ipaddr.IPv4([...found.toByteArray().slice(-4)]).toString());
	if (range === 'unicast') return Reach.internet;
	return networkRanges.includes(range) ? Reach.network : Reach.host;
}

const networkRanges: readonly string[] = ['private', 'uniqueLocal', 'carrierGradeNat'];

/** True for names and addresses of this host itself. */
export function isLoopback({hostname}: URL): boolean {
	const host = hostname.replace(/^\[(.*)\]$/, '$1');
	if (isIP(host) === 0) return host === 'localhost' || host.endsWith('.localhost');
	return ipaddr.process(host).range() === 'loopback';
}
