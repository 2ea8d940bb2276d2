import {isIP} from 'node:net';
import {isAbsolute, resolve} from 'node:path';
import type {SharedFolders} from '#main/api';
import {configError} from '#main/config';

/** A port of the host that leads to one of the guest. */
export interface PublishedPort {
	readonly protocol: 'tcp' | 'udp';
	readonly address: string;
	readonly hostPort: number;
	readonly guestPort: number;
}

/** Reads `--publish [IP:]HOST:GUEST[/udp]`; without an address it is for this host alone. @throws CONFIG_VALUE_INVALID */
export function parsePort(text: string): PublishedPort {
	const [, six, four, host, guest, protocol = 'tcp'] =
		/^(?:\[([\da-f:.]+)\]:|([\d.]+):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/i.exec(text) ?? [];
	const address = six ?? four ?? '127.0.0.1';
	const [hostPort, guestPort] = [Number(host), Number(guest)];
	if (!(hostPort <= 65_535 && guestPort >= 1 && guestPort <= 65_535) || isIP(address) === 0)
		throw configError('CONFIG_VALUE_INVALID', {
			option: '--publish',
			value: text,
			expected: '[IP:]HOST:GUEST[/udp] with ports up to 65535, such as 8080:80 or 0.0.0.0:5353:53/udp',
		});
	return {protocol: protocol as 'tcp' | 'udp', address, hostPort, guestPort};
}

/** A port as `openvmm ps` shows it. */
export const portText = ({protocol, address, hostPort, guestPort}: PublishedPort): string =>
	`${address.includes(':') ? `[${address}]` : address}:${hostPort}->${guestPort}/${protocol}`;

/** Reads each `--volume HOST:GUEST[:ro]`, `:dax=SIZE` or `:ro,dax=SIZE`. @throws CONFIG_VALUE_INVALID */
export const parseVolumes = (texts: readonly string[]): SharedFolders =>
	Object.fromEntries(
		texts.map((text) => {
			const [host = '', guest = '', options = 'rw', ...others] = text.split(':');
			const words = options.split(',');
			const isRight = words.every((word) => /^(ro|rw|dax=\w+)$/.test(word));
			if (host === '' || !isAbsolute(guest) || !isRight || others.length > 0)
				throw configError('CONFIG_VALUE_INVALID', {
					option: '--volume',
					value: text,
					expected:
						'HOST:GUEST, a folder of the host and an absolute path of the guest, with :ro, :dax=SIZE or :ro,dax=SIZE behind it',
				});
			const dax = words.find((word) => word.startsWith('dax='))?.slice('dax='.length);
			return [guest, {folder: resolve(host), readOnly: words.includes('ro'), ...(dax !== undefined && {dax})}];
		}),
	);
