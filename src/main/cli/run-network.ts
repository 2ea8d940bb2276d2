import {endpointForms, endpointOption} from '#devices/network/source';
import {parseGuestForward, parseRule} from '#devices/network/user';
import type {CreateVmOptions} from '#main/api';
import {configError} from '#main/config';
import {cliError} from './errors.ts';
import {oneOf} from './one-of.ts';
import type {FlagValues} from './parse.ts';
import type {PublishedPort} from './publish.ts';

/** Flags of `openvmm run` that say what its user-mode network does. */
const ofPolicy = ['allow', 'closed', 'guestfwd', 'decisions'] as const;

/** The network that the flags of `openvmm run` ask for. @throws VmmError CONFIG_VALUE_INVALID, CLI_FLAG_NEEDS, CLI_FLAGS_CONFLICT */
export function networkOf(
	flags: FlagValues<string>,
	ports: readonly PublishedPort[],
): NonNullable<CreateVmOptions['network']> {
	const net = flags.last('net') ?? 'user';
	const capture = flags.last('capture');
	const udp = ports.filter(({protocol}) => protocol === 'udp');
	if (net !== 'user') {
		const needy = [...ofPolicy, ...(net === 'none' ? (['capture'] as const) : [])].find((flag) => flags.has(flag));
		if (needy !== undefined && net === 'none')
			throw cliError('CLI_FLAG_NEEDS', {flag: `--${needy}`, needed: '--net user'});
		if (needy !== undefined) throw cliError('CLI_FLAGS_CONFLICT', {first: `--net ${net}`, second: `--${needy}`});
		if (udp.length > 0) throw wrong('publish', 'a port of UDP', `a network for it: not --net ${net}`);
		if (net === 'none') return false;
		// All of these have something behind a colon, or words.
		if (!/[:,]/.test(net) && net !== 'consomme') throw wrong('net', net, `user, or ${endpointForms}`);
		return {endpoint: {...endpointOption.parse(net, '--net')}, ...(capture !== undefined && {capture})};
	}
	const allow = flags
		.all('allow')
		.map(
			(text) =>
				checked(parseRule(text), 'allow', text, 'HOST[:PORT], a name, *.NAME, an address, ADDRESS/BITS or *').text,
		);
	const guestForwards = flags
		.all('guestfwd')
		.map((text) =>
			checked(
				parseGuestForward(text),
				'guestfwd',
				text,
				'tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT, such as tcp::80-:8080',
			),
		);
	const [closed, decisions] = [flags.last('closed'), flags.last('decisions')];
	return {
		...(allow.length > 0 && {allow}),
		...(closed !== undefined && {closed: oneOf('host', 'private', 'all')(closed, '--closed')}),
		...(guestForwards.length > 0 && {guestForwards}),
		...(capture !== undefined && {capture}),
		...(decisions !== undefined && {decisions}),
		...(udp.length > 0 && {
			hostForwards: udp.map(({protocol, address, hostPort, guestPort}) => ({
				protocol,
				hostAddress: address,
				hostPort,
				guestPort,
			})),
		}),
	};
}

const wrong = (flag: string, value: string, expected: string) =>
	configError('CONFIG_VALUE_INVALID', {option: `--${flag}`, value, expected});

function checked<T>(value: T | undefined, flag: (typeof ofPolicy)[number], text: string, expected: string): T {
	if (value === undefined) throw wrong(flag, text, expected);
	return value;
}
