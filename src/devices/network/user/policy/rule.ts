import {addressBytes, addressText} from '../packets/index.ts';
import {isInList, rangeList} from './address-kind.ts';

/** A rule that opens something. */
export interface Rule {
	/** As it was written. */
	readonly text: string;
	/** A name without its last dot, in small letters; `*.` in front stands for all names below it. */
	readonly name: string | undefined;
	/** Written `*`: all that is public. */
	readonly isAny: boolean;
	/** True for addresses that the rule names, by themselves or as a range. */
	hasAddress(address: string): boolean;
	/** True for ports that the rule names, and for 0, what has no port, where it names none. */
	hasPort(port: number): boolean;
}

/** One label: letters, digits, `_` and `-` (RFC 1123, 2.1; RFC 2782 for `_`). */
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** True for a name that is as host names are, in small letters and without its last dot. */
export const isName = (name: string): boolean =>
	name.length > 0 && name.length <= 253 && name.split('.').every((part) => label.test(part));

/** Reads `host[:port[-port]]`: a name, `*.name`, an address or range (IPv6 in brackets where a port follows), `*`. Undefined for what is none. */
export function parseRule(text: string): Rule | undefined {
	const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(text.trim());
	// An address of IPv6 without brackets is all of the text.
	const bare = addressBytes(text.split('/')[0] ?? '')?.length === 16 ? text : undefined;
	const host = bare ?? match?.[1] ?? match?.[2];
	if (host === undefined) return undefined;
	const [from, to] = bare === undefined ? [match?.[3], match?.[4]] : [];
	const [low, high] = from === undefined ? [0, 65_535] : [Number(from), Number(to ?? from)];
	if (low > high || high > 65_535) return undefined;
	const hasPort = (port: number) => port >= low && port <= high;
	const name = host.toLowerCase().replace(/\.$/, '');
	if (host === '*') return {text, name: undefined, isAny: true, hasAddress: () => false, hasPort};
	const addresses = parseRange(host);
	if (addresses !== undefined) return {text, name: undefined, isAny: false, hasAddress: addresses, hasPort};
	if (match?.[1] !== undefined) return undefined;
	// What looks like an address and is none is no name either.
	if (/^[\d.]+$/.test(name) || !isName(name.replace(/^\*\./, ''))) return undefined;
	return {text, name, isAny: false, hasAddress: () => false, hasPort};
}

function parseRange(text: string): ((address: string) => boolean) | undefined {
	const [host = '', bits, ...rest] = text.split('/');
	const bytes = addressBytes(host);
	if (bytes === undefined || rest.length > 0) return undefined;
	const most = bytes.length * 8;
	const length = bits === undefined ? most : Number(bits);
	if ((bits !== undefined && !/^\d+$/.test(bits)) || length > most) return undefined;
	if (/^::ffff:/i.test(addressText(bytes))) return undefined;
	const list = rangeList([`${addressText(bytes)}/${length}`]);
	return (address) => isInList(list, address);
}

/** True where a rule's name is that name, or has it below it. */
export function namesName(rule: Rule, name: string): boolean {
	if (rule.name === undefined) return false;
	return rule.name.startsWith('*.') ? name.endsWith(rule.name.slice(1)) : rule.name === name;
}
