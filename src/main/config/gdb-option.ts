import {parseNumber} from '#support/options';
import {configError} from './errors.ts';
import type {GdbAddress} from './process-config.ts';

const loopback = '127.0.0.1';

/**
 * Parses `--gdb`: PORT (on 127.0.0.1), IP:PORT with an IPv6 address in brackets, or unix:PATH.
 * @throws CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE for a port above 65535
 */
export function parseGdb(text: string, option: string): GdbAddress {
	const path = /^unix:(.+)$/s.exec(text)?.[1];
	if (path !== undefined) return {kind: 'unix', path};
	const [, six, four, port] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):)?(\d+)$/.exec(text) ?? [];
	const host = six ?? four;
	const isHost = host === undefined || URL.canParse(`http://${six === undefined ? host : `[${six}]`}`);
	if (port === undefined || !isHost) {
		const expected = 'PORT, IP:PORT or unix:PATH, for example 2345, [::1]:2345 or unix:/tmp/vm.gdb';
		throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected});
	}
	return {kind: 'tcp', host: host ?? loopback, port: parseNumber(port, `${option} port`, 0, 0xffff)};
}
