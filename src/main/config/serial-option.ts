import type {SerialBackendConfig} from '#devices/serial-backends';
import {configError} from './errors.ts';
import {parseNumber} from './numbers.ts';
import type {DebugconConfig} from './vm-config.ts';

const standardOutput = 1;
const expected = 'none, console, stderr, file=PATH, listen=PATH or listen=tcp:IP:PORT';

/**
 * Parses a serial binding: none | console | stderr | file=PATH | listen=PATH | listen=tcp:IP:PORT, an
 * IPv6 address in brackets.
 * @throws CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE for a TCP port above 65535
 */
export function parseSerial(text: string, option: string): SerialBackendConfig {
	const [, word, path] = /^(none|console|stderr|file(?==)|listen(?==))(?:=(.+))?$/s.exec(text) ?? [];
	if (path === undefined) {
		if (word === 'none' || word === 'stderr') return {kind: word};
		if (word === 'console') return {kind: 'console', outputFd: standardOutput};
	} else if (word === 'file') return {kind: 'file', path};
	else if (word === 'listen') {
		return path.startsWith('tcp:') ? parseTcp(path.slice(4), text, option) : {kind: 'listen-unix', path};
	}
	throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected});
}

function parseTcp(address: string, text: string, option: string): SerialBackendConfig {
	const [, six, four, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d+)$/.exec(address) ?? [];
	const host = six ?? four;
	if (
		host === undefined ||
		port === undefined ||
		!URL.canParse(`http://${address.slice(0, address.lastIndexOf(':'))}`)
	) {
		throw configError('CONFIG_VALUE_INVALID', {
			option,
			value: text,
			expected: 'listen=tcp:IP:PORT, for example listen=tcp:127.0.0.1:4321 or listen=tcp:[::1]:4321',
		});
	}
	return {kind: 'listen-tcp', host, port: parseNumber(port, `${option} TCP port`, 0, 0xffff)};
}

/**
 * Parses `--debugcon`: `PORT,SERIAL`.
 * @throws the errors of {@link parseSerial} and {@link parseNumber}
 */
export function parseDebugcon(text: string, option = '--debugcon'): DebugconConfig {
	const comma = text.indexOf(',');
	if (comma < 0) {
		throw configError('CONFIG_VALUE_INVALID', {
			option,
			value: text,
			expected: `PORT,SERIAL, for example 0xe9,stderr; SERIAL is ${expected}`,
		});
	}
	return {
		port: parseNumber(text.slice(0, comma), `${option} port`, 0, 0xffff),
		backend: parseSerial(text.slice(comma + 1), option),
	};
}
