import type {VmmError} from '#support/errors';
import {checkPath, checkRange, invalidValue, type PathHost, parseNumber, type ValueType} from '#support/options';
import type {SerialBackendConfig} from './config.ts';

const standardOutput = 1;
const expected = 'none, console, stderr, file=PATH, listen=PATH or listen=tcp:IP:PORT';
const pathless: readonly unknown[] = ['none', 'stderr'];

/**
 * Other end of a serial port, written none | console | stderr | file=PATH | listen=PATH | listen=tcp:IP:PORT, an IPv6 address
 * in brackets.
 */
export const serialBinding: ValueType<SerialBackendConfig> = {
	placeholder: 'SERIAL',
	parse(text, option) {
		const [, word, path] = /^(none|console|stderr|file(?==)|listen(?==))(?:=(.+))?$/s.exec(text) ?? [];
		if (path === undefined) {
			if (word === 'none' || word === 'stderr') return {kind: word};
			if (word === 'console') return {kind: 'console', outputFd: standardOutput};
		} else if (word === 'file') return {kind: 'file', path};
		else if (word === 'listen') {
			return path.startsWith('tcp:') ? parseTcp(path.slice(4), text, option) : {kind: 'listen-unix', path};
		}
		throw invalidValue(option, text, expected);
	},
	check: (value, option) => (isBackend(value) ? undefined : invalidValue(option, value, expected)),
	checkHost: checkBackend,
};

function parseTcp(address: string, text: string, option: string): SerialBackendConfig {
	const [, six, four, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d+)$/.exec(address) ?? [];
	const host = six ?? four;
	if (
		host === undefined ||
		port === undefined ||
		!URL.canParse(`http://${address.slice(0, address.lastIndexOf(':'))}`)
	) {
		const example = 'listen=tcp:IP:PORT, for example listen=tcp:127.0.0.1:4321 or listen=tcp:[::1]:4321';
		throw invalidValue(option, text, example);
	}
	return {kind: 'listen-tcp', host, port: parseNumber(port, `${option} TCP port`, 0, 0xffff)};
}

function isBackend(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const {kind, path, host, port, outputFd, log} = value as Record<string, unknown>;
	if (kind === 'file' || kind === 'listen-unix') return typeof path === 'string';
	if (kind === 'listen-tcp') return typeof host === 'string' && typeof port === 'number';
	if (kind === 'console') return typeof outputFd === 'number' && (log === undefined || typeof log === 'string');
	return pathless.includes(kind);
}

function checkBackend(backend: SerialBackendConfig, option: string, host: PathHost): VmmError | undefined {
	switch (backend.kind) {
		case 'none':
		case 'console':
		case 'stderr':
			return undefined;
		case 'file':
			return checkPath(host, 'stream', backend.path, option);
		case 'listen-unix':
			return checkPath(host, 'listen', backend.path, option);
		case 'listen-tcp':
			return checkRange(backend.port, `${option} TCP port`, 0, 0xffff);
	}
}
