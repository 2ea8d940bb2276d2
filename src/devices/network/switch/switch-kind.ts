import {type Endpoint, type EndpointHost, type EndpointKind, endpointOver, type Nic} from '#devices/network/endpoint';
import {isSocketPath} from '#devices/network/socket';
import {unixPathLimit} from '#support/ffi';
import {object} from '#support/inspect';
import {checkPath, invalidValue, type KeyTable, parseKeyValues} from '#support/options';
import {portNodes, SwitchCounters, SwitchEndpoint} from './switch-endpoint.ts';
import {listenerBytes, listenerNodes, SwitchListener} from './switch-listener.ts';
import {switchBytes} from './switch-memory.ts';

/** A port of a switch that connects the NICs of this process's machines. */
export interface SwitchSource {
	readonly kind: 'switch';
	/** 1 to 32 letters, digits, dots, dashes and underscores: those who say the same are on one. */
	readonly name: string;
	/** The machine's name on a network that has a port of the switch, of one label. */
	readonly guest?: string;
	/** Path of a Unix socket by which others join the switch. */
	readonly listen?: string;
}

const wordTable: KeyTable = {name: 'value', listen: 'value'};

/** A switch may be called so. */
export const isSwitchName = (name: unknown): name is string => typeof name === 'string' && /^[\w.-]{1,32}$/.test(name);

/** A guest may be called so, in DNS. */
const isGuestName = (name: unknown): name is string =>
	typeof name === 'string' && /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i.test(name);

/** The memory that all ports of a switch have in common. */
export const switchCommon = (name: string) => ({name: `switch/${name}`, bytes: switchBytes});

/** Opens a port, and what lets others join. */
async function open({listen, ...place}: SwitchSource, nic: Nic, host: EndpointHost): Promise<Endpoint> {
	const port = new SwitchEndpoint(place, nic, host);
	if (listen === undefined) return port;
	const listening = {...host, offset: host.offset + SwitchCounters.byteLength};
	const listener = await SwitchListener.open(place.name, listen, listening).catch((error) => {
		port.dispose();
		throw error;
	});
	return endpointOver(port, {
		start() {
			port.start();
			listener.start();
		},
		stop() {
			listener.stop();
			port.stop();
		},
		async dispose() {
			await listener.dispose();
			port.dispose();
		},
	});
}

/** `switch:NAME`. */
export const switchKind: EndpointKind<SwitchSource> = {
	prefix: 'switch',
	form: "switch:NAME (a port of a switch: this process's NICs that say the same name are on one; with name=NAME behind it, the machine's name on a network of consomme there; with listen=PATH other processes and QEMUs join by a Unix socket, as stream:connect=PATH and -netdev stream do)",
	parse(text, option) {
		const [name, ...words] = (text ?? '').split(',');
		const given = words.length === 0 ? undefined : parseKeyValues(words.join(','), option, wordTable);
		const [guest, listen] = [given?.value('name'), given?.value('listen')];
		const source = {kind: 'switch', name, ...(guest && {guest}), ...(listen && {listen})};
		if (switchKind.isRight(source)) return source as SwitchSource;
		throw invalidValue(
			option,
			`switch:${text ?? ''}`,
			`switch:NAME with 1 to 32 of a-z, 0-9, ., - and _, name=NAME of one label, and listen=PATH of at most ${unixPathLimit} bytes`,
		);
	},
	isRight: ({name, guest, listen}) =>
		isSwitchName(name) && (guest === undefined || isGuestName(guest)) && (listen === undefined || isSocketPath(listen)),
	checkHost: ({listen}, option, host) => (listen === undefined ? undefined : checkPath(host, 'listen', listen, option)),
	sharedBytes: ({listen}) => SwitchCounters.byteLength + (listen === undefined ? 0 : listenerBytes),
	common: ({name}) => switchCommon(name),
	open,
	report({name, listen}, memory, offset) {
		const counters = SwitchCounters.on(memory, offset);
		const listening = offset + SwitchCounters.byteLength;
		return {
			nodes: () => ({
				name,
				...portNodes(counters),
				...(listen !== undefined && {listen: object(() => ({path: listen, ...listenerNodes(memory, listening)}))}),
			}),
		};
	},
};
