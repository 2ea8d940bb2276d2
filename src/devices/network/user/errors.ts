import {errorTable} from '#support/errors';

/** Faults of networks of our own. */
export const userNetworkError = errorTable({
	NETWORK_PORT_UNAVAILABLE: (c: {protocol: string; address: string; port: number; code: string}) => ({
		message: `The host does not give ${c.protocol} port ${c.port} of ${c.address} to a guest: ${c.code}`,
		remedy:
			c.code === 'EADDRINUSE'
				? 'Somebody else listens there: name another port, or 0 for any that is free'
				: c.code === 'EACCES'
					? 'Ports below 1024 are for root: name a higher one'
					: 'Name an address of this host',
	}),
	NETWORK_DECISIONS_UNUSABLE: (c: {path: string; cause: string}) => ({
		message: `Decisions of a network cannot be written to ${c.path}: ${c.cause}`,
		remedy:
			'Name a file in an existing directory that you may write to, and another one for each network, which %n in it does for --clones',
	}),
	NETWORK_GUEST_UNKNOWN: (c: {asked: string; network: string; given: readonly string[]; isShared: boolean}) => ({
		message: `A port of the host is to lead to ${c.asked}, which no guest of ${c.network} is given: ${
			c.isShared ? 'guests have the addresses behind the gateway’s' : `its guest has ${c.given.join(', ')}`
		}`,
		remedy: c.isShared
			? 'Name the address of a guest of the switch'
			: 'Leave the address out, or give the network a switch=NAME, whose NICs have the addresses behind it',
	}),
});
