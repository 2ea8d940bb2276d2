import {serialBinding} from '#devices/serial-backends';
import {invalidValue, type ValueType} from '#support/options';
import {type ConsolePortConfig, mostNameBytes, mostPorts} from './handle.ts';

const expected =
	'[console:][off:][name=NAME:]SERIAL, several with + between them, for example console:none+name=agent:listen=/tmp/agent';

/** Ports of a device by their numbers, written [console:][off:][name=NAME:]SERIAL+…. */
export const portList: ValueType<readonly ConsolePortConfig[]> = {
	placeholder: 'PORTS',
	parse: (text, option) => text.split('+').map((part) => parsePort(part, option)),
	check(value, option) {
		const isList = Array.isArray(value) && value.length > 0 && value.length <= mostPorts && value.every(isPort);
		if (!isList) return invalidValue(option, value, `1 to ${mostPorts} ports: ${expected}`);
		const ports = value as readonly ConsolePortConfig[];
		if (ports.filter(({backend}) => backend.kind === 'console').length > 1)
			return invalidValue(option, value, "one port at most with the process's terminal");
		return ports.map(({backend}) => serialBinding.check(backend, option)).find((error) => error !== undefined);
	},
	checkHost: (value, option, host) =>
		value.map(({backend}) => serialBinding.checkHost?.(backend, option, host)).find((error) => error !== undefined),
};

/** @throws VmmError CONFIG_VALUE_INVALID */
export function parsePort(text: string, option: string): ConsolePortConfig {
	const [, isConsole, isOff, name, serial] = /^(console:)?(off:)?(?:name=([^:]+):)?(.+)$/s.exec(text) ?? [];
	if (serial === undefined || (name !== undefined && !isName(name))) throw invalidValue(option, text, expected);
	return {
		console: isConsole !== undefined,
		...(isOff !== undefined && {unplugged: true}),
		...(name !== undefined && {name}),
		backend: serialBinding.parse(serial, option),
	};
}

/** Linux makes a file of it. */
const isName = (name: unknown): boolean =>
	typeof name === 'string' && /^[!-.0-~]+$/.test(name) && name.length <= mostNameBytes;

function isPort(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const {console, unplugged, name, backend} = value as Record<string, unknown>;
	const areFlags = typeof console === 'boolean' && (unplugged === undefined || typeof unplugged === 'boolean');
	return areFlags && (name === undefined || isName(name)) && typeof backend === 'object' && backend !== null;
}
