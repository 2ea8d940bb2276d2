import {parseGuestForward, parseRule} from '#devices/network/user';
import type {CreateVmOptions} from '#main/api';
import {configError} from '#main/config';
import {cliError} from './errors.ts';
import {oneOf} from './one-of.ts';
import type {FlagValues} from './parse.ts';
import type {PublishedPort} from './publish.ts';

/** Flags of `openvmm run` that say how its network is. */
const ofNetwork = ['allow', 'closed', 'guestfwd', 'capture'] as const;

/** The network that the flags of `openvmm run` ask for. @throws VmmError CONFIG_VALUE_INVALID, CLI_FLAG_NEEDS */
export function networkOf(
	flags: FlagValues<string>,
	ports: readonly PublishedPort[],
): NonNullable<CreateVmOptions['network']> {
	const kind = oneOf('user', 'none')(flags.last('net') ?? 'user', '--net');
	const udp = ports.filter(({protocol}) => protocol === 'udp');
	if (kind === 'none') {
		const needy = ofNetwork.find((flag) => flags.has(flag));
		if (needy !== undefined) throw cliError('CLI_FLAG_NEEDS', {flag: `--${needy}`, needed: '--net user'});
		if (udp.length > 0) throw wrong('publish', 'a port of UDP', 'a network for it: not --net none');
		return false;
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
	const [closed, capture] = [flags.last('closed'), flags.last('capture')];
	return {
		...(allow.length > 0 && {allow}),
		...(closed !== undefined && {closed: oneOf('host', 'private', 'all')(closed, '--closed')}),
		...(guestForwards.length > 0 && {guestForwards}),
		...(capture !== undefined && {capture}),
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

function checked<T>(value: T | undefined, flag: (typeof ofNetwork)[number], text: string, expected: string): T {
	if (value === undefined) throw wrong(flag, text, expected);
	return value;
}
