import {isIP} from 'node:net';
import {isSwitchName} from '#devices/network/switch';
import {invalidValue} from '#support/options';
import type {ProgramHandle} from '#support/rpc';
import {parseServer} from './dns/index.ts';
import {type GuestForward, type HostForward, parseGuestForward, parseHostForward} from './forward/index.ts';
import {planOf} from './plan.ts';
import {type Closed, type ConnectFunction, isName, parseRule} from './policy/index.ts';

/** A network of our own for one NIC, as plain data. */
export interface UserSource {
	readonly kind: 'consomme';
	/** `address/bits`; `10.0.0.0/24` without this. */
	readonly cidr?: string;
	readonly hostForwards?: readonly HostForward[];
	readonly guestForwards?: readonly GuestForward[];
	/** Rules that open something: see `parseRule`. */
	readonly allow?: readonly string[];
	/** `all` where there are rules, and otherwise `host`, without this. */
	readonly closed?: Closed;
	/** The machine's name, of one label. */
	readonly name?: string;
	/** Resolvers that are asked in place of the host's: see `parseServer`. */
	readonly nameservers?: readonly string[];
	/** Guests are given addresses of IPv6: where the host has a public one without this. */
	readonly ipv6?: boolean;
	/** A switch of this process whose NICs are guests of the network too. */
	readonly switch?: string;
	/** A file to which each decision is added. */
	readonly decisions?: string;
	/** Decides about what no rule opens. Devices have what stands for it. */
	readonly connect?: ConnectFunction | ProgramHandle;
}

export const usualCidr = '10.0.0.0/24';
/** Items of each kind that one network may have. */
const mostItems = 1024;

/** How a network is written, for errors and help. */
export const userForm =
	"consomme[:CIDR] (a network by the host's sockets, with any of hostfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT, guestfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT, allow=HOST[:PORT], closed=host|private|all, name=NAME, dns=ADDRESS[:PORT], ipv6=on|off, decisions=FILE (to which each decision is added) and switch=NAME (a switch whose NICs are guests of it too) behind it, between commas)";

const isClosed = (value: unknown): value is Closed => value === 'host' || value === 'private' || value === 'all';
const isLabel = (value: unknown): value is string => typeof value === 'string' && isName(value) && !value.includes('.');
const isPath = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isServer = (value: unknown): value is string => typeof value === 'string' && parseServer(value) !== undefined;

/** Words of which there is one each. */
type Words = Pick<UserSource, 'cidr' | 'closed' | 'name' | 'ipv6' | 'decisions' | 'switch'>;

/** Reads what stands behind `consomme:`: a range, and items between commas. */
export function parseUserSource(text: string | undefined, option: string): UserSource {
	const wrong = (item: string, expected: string) => invalidValue(option, item, expected);
	const hostForwards: HostForward[] = [];
	const guestForwards: GuestForward[] = [];
	const allow: string[] = [];
	const nameservers: string[] = [];
	const rest: {-readonly [K in keyof Words]: Words[K]} = {};
	const keep = <T>(list: T[], value: T | undefined, item: string, expected: string) => {
		if (value === undefined || list.length >= mostItems) throw wrong(item, expected);
		list.push(value);
	};
	for (const [index, item] of (text ?? '').split(',').entries()) {
		if (item === '' && index === 0) continue;
		const [key = '', value = ''] = item.includes('=')
			? [item.slice(0, item.indexOf('=')), item.slice(item.indexOf('=') + 1)]
			: ['', item];
		if (key === 'hostfwd')
			keep(hostForwards, parseHostForward(value), item, 'hostfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT');
		else if (key === 'guestfwd')
			keep(guestForwards, parseGuestForward(value), item, 'guestfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT');
		else if (key === 'allow')
			keep(allow, parseRule(value)?.text, item, 'allow=HOST[:PORT], a name, *.NAME, an address, ADDRESS/BITS or *');
		else if (key === 'dns')
			keep(nameservers, isServer(value) ? value : undefined, item, 'dns=ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT');
		else if (key === 'closed' && isClosed(value)) rest.closed = value;
		else if (key === 'name' && isLabel(value)) rest.name = value;
		else if (key === 'ipv6' && (value === 'on' || value === 'off')) rest.ipv6 = value === 'on';
		else if (key === 'decisions' && isPath(value)) rest.decisions = value;
		else if (key === 'switch' && isSwitchName(value)) rest.switch = value;
		else if (key === '' && index === 0 && planOf(value) !== undefined) rest.cidr = value;
		else throw wrong(item, userForm);
	}
	return {
		kind: 'consomme',
		...rest,
		...(hostForwards.length > 0 ? {hostForwards} : {}),
		...(guestForwards.length > 0 ? {guestForwards} : {}),
		...(allow.length > 0 ? {allow} : {}),
		...(nameservers.length > 0 ? {nameservers} : {}),
	};
}

type Unknown = Readonly<globalThis.Record<string, unknown>>;
const isObject = (value: unknown): value is Unknown => typeof value === 'object' && value !== null;
const isAddress = (value: unknown) => value === undefined || (typeof value === 'string' && isIP(value) !== 0);
const isPort = (value: unknown, least = 1) =>
	Number.isInteger(value) && (value as number) >= least && (value as number) < 65_536;
const isProtocol = (value: unknown) => value === 'tcp' || value === 'udp';
const isList = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
	value === undefined || (Array.isArray(value) && value.length <= mostItems && value.every(isItem));

const isHostForward = (value: unknown): boolean =>
	isObject(value) &&
	isProtocol(value['protocol']) &&
	isAddress(value['hostAddress']) &&
	isPort(value['hostPort'], 0) &&
	isAddress(value['guestAddress']) &&
	isPort(value['guestPort']);

function isGuestForward(value: unknown): boolean {
	if (!isObject(value) || !isProtocol(value['protocol']) || !isAddress(value['address']) || !isPort(value['port']))
		return false;
	const {target} = value as {target?: unknown};
	return (
		isObject(target) && typeof target['address'] === 'string' && isIP(target['address']) !== 0 && isPort(target['port'])
	);
}

/** True for data, which may be anybody's, that is such a network. */
export function isUserSource(fields: Unknown): boolean {
	const {cidr, hostForwards, guestForwards, allow, closed, name, nameservers, ipv6, decisions, connect, ...others} =
		fields as {
			[K in keyof UserSource]?: unknown;
		};
	return (
		(cidr === undefined || (typeof cidr === 'string' && planOf(cidr) !== undefined)) &&
		isList(hostForwards, isHostForward) &&
		isList(guestForwards, isGuestForward) &&
		isList(allow, (rule) => typeof rule === 'string' && parseRule(rule) !== undefined) &&
		isList(nameservers, isServer) &&
		(closed === undefined || isClosed(closed)) &&
		(name === undefined || isLabel(name)) &&
		(ipv6 === undefined || typeof ipv6 === 'boolean') &&
		(decisions === undefined || isPath(decisions)) &&
		(connect === undefined || typeof connect === 'function') &&
		(others.switch === undefined || isSwitchName(others.switch))
	);
}
