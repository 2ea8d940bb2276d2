import {lookup} from 'node:dns/promises';
import {isIP, type LookupFunction} from 'node:net';
import ipaddr from 'ipaddr.js';

/** An address of a host. */
interface Address {
	readonly address: string;
	readonly family: number;
}

/** Addresses of a host, looked up once: whoever connects takes one of these and asks nobody again. */
export interface Addresses {
	/** True where any of them is not one of the internet: of this host, of a network around it, or of the link. */
	readonly isPrivate: boolean;
	/** True where any of them is one of the internet: whoever answers may be there. */
	readonly isInternet: boolean;
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

	get isPrivate(): boolean {
		return this.#all.some(({address}) => !isOfInternet(address));
	}

	get isInternet(): boolean {
		return this.#all.some(({address}) => isOfInternet(address));
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

const isOfInternet = (address: string): boolean => ipaddr.process(address).range() === 'unicast';

/** True for names and addresses of this host itself. */
export function isLoopback({hostname}: URL): boolean {
	const host = hostname.replace(/^\[(.*)\]$/, '$1');
	if (isIP(host) === 0) return host === 'localhost' || host.endsWith('.localhost');
	return ipaddr.process(host).range() === 'loopback';
}
