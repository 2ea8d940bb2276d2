import {BlockList} from 'node:net';
import {type NetworkInterfaceInfo, networkInterfaces} from 'node:os';
import {addressText, bytesOf, type Family, familyOf} from '../packets/index.ts';

/**
 * What is behind an address: the host itself, a service that gives a cloud's machines their secrets, a network that is not the public one,
 * the public one, or nothing that one connects to.
 */
export type AddressKind = 'host' | 'metadata' | 'private' | 'public' | 'never';

/** Ranges by what is behind them; the first that holds an address says it (RFC 6890 and IANA's registries of special addresses). */
const ranges = {
	never: [
		...['224.0.0.0/4', '240.0.0.0/4', 'ff00::/8'],
		// IPv4 addresses as IPv6 once was to write them (RFC 4291, 2.5.5.1).
		'::/96',
		...['100::/64', '2001:db8::/32', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '3fff::/20'],
	],
	metadata: [
		// Link-local, which has the addresses of metadata and their credentials at most clouds.
		...['169.254.0.0/16', 'fe80::/10'],
		// AWS, Alibaba, Oracle, Azure, Google, Scaleway; the private ranges that some lie in may be open.
		...[
			'fd00:ec2::/32',
			'100.100.100.200/32',
			'192.0.0.192/32',
			'168.63.129.16/32',
			'fd20:ce::254/128',
			'fd00:42::42/128',
		],
	],
	host: ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128'],
	private: [
		...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '192.0.0.0/24', '198.18.0.0/15'],
		...['fc00::/7', 'fec0::/10', '64:ff9b:1::/48', '2001:2::/48', '5f00::/16'],
	],
} as const satisfies Partial<Record<AddressKind, readonly string[]>>;
/** `::` and `::1` lie in the range of addresses that IPv4 once was to be written in, but mean the host. */
const order = ['host', 'never', 'metadata', 'private'] as const;

const nodeFamily = (family: Family) => (family === 4 ? 'ipv4' : 'ipv6') as 'ipv4' | 'ipv6';

/** A list of ranges written `address/bits`. */
export function rangeList(texts: readonly string[]): BlockList {
	const list = new BlockList();
	for (const text of texts) {
		const [address, bits] = text.split('/') as [string, string];
		list.addSubnet(address, Number(bits), nodeFamily(familyOf(address)));
	}
	return list;
}

export const isInList = (list: BlockList, address: string): boolean =>
	list.check(address, nodeFamily(familyOf(address)));

/** Addresses of interfaces, and those of IPv6 that a host which passes packets on has for each network that it is on (RFC 4291, 2.6.1). */
export const hostAddresses = (interfaces: readonly NetworkInterfaceInfo[]): readonly string[] =>
	interfaces.flatMap(({address, netmask}) => {
		const own = bytesOf(address.replace(/%.*$/, ''));
		const mask = bytesOf(netmask);
		const ofRouters = own.map((byte, index) => byte & (mask[index] as number));
		return own.length === 4 ? [addressText(own)] : [addressText(own), addressText(ofRouters)];
	});

/** Addresses of the host's own, at this moment. */
const ownAddresses = (): readonly string[] =>
	hostAddresses(Object.values(networkInterfaces()).flatMap((list) => list ?? []));

/**
 * IPv4 addresses that an IPv6 address leads to by a translator or a tunnel: NAT64 (RFC 6052, 2.1), 6to4 (RFC 3056, 2), Teredo, whose
 * client's is written with its bits turned (RFC 4380, 4), ISATAP (RFC 5214, 6.1).
 */
export function embeddedAddresses(address: string): readonly string[] {
	if (familyOf(address) === 4) return [];
	const bytes = bytesOf(address);
	const text = (at: number, flip = 0) => addressText(bytes.slice(at, at + 4).map((byte) => byte ^ flip));
	const starts = (...prefix: number[]) => prefix.every((byte, index) => bytes[index] === byte);
	if (starts(0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0)) return [text(12)];
	if (starts(0x20, 0x02)) return [text(2)];
	if (starts(0x20, 0x01, 0, 0)) return [text(4), text(12, 0xff)];
	const isIsatap = ((bytes[8] as number) & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
	return isIsatap ? [text(12)] : [];
}

/** Says what is behind addresses. */
export class AddressKinds {
	readonly #lists = order.map((kind) => ({kind, list: rangeList(ranges[kind])}));
	readonly #look: () => readonly string[];
	#looked: readonly string[] | undefined;

	/** @param look - gives the host's own addresses */
	constructor(look: () => readonly string[] = ownAddresses) {
		this.#look = look;
	}

	/** The kind of an address: the most closed of its own and of all that it leads to. */
	of(address: string): AddressKind {
		const kinds = [address, ...embeddedAddresses(address)].map((each) => this.#plainKind(each));
		return (['never', 'host', 'metadata', 'private'] as const).find((kind) => kinds.includes(kind)) ?? 'public';
	}

	#plainKind(address: string): AddressKind {
		// Forms of IPv4 addresses that no packet on a wire has (RFC 4038, 4.2): Node's list would look for them among those of IPv4.
		if (/^::ffff:/i.test(address)) return 'never';
		const kind = this.#lists.find(({list}) => isInList(list, address))?.kind ?? 'public';
		return kind === 'host' || this.#own().includes(address) ? 'host' : kind;
	}

	/** A look takes half as long as a connection: it is good for all that is decided at once, and no longer, since the host may have a new address. */
	#own(): readonly string[] {
		if (this.#looked === undefined)
			queueMicrotask(() => {
				this.#looked = undefined;
			});
		this.#looked ??= this.#look();
		return this.#looked;
	}
}
