import type {EndpointKind} from '#devices/network/endpoint';
import {invalidValue} from '#support/options';
import {SwitchCounters, SwitchEndpoint} from './switch-endpoint.ts';
import {switchBytes} from './switch-memory.ts';

/** A port of a switch that connects the NICs of this process's machines. */
export interface SwitchSource {
	readonly kind: 'switch';
	/** 1 to 32 letters, digits, dots, dashes and underscores: those who say the same are on one. */
	readonly name: string;
	/** The machine's name on a network that has a port of the switch, of one label. */
	readonly guest?: string;
}

/** A switch may be called so. */
export const isSwitchName = (name: unknown): name is string => typeof name === 'string' && /^[\w.-]{1,32}$/.test(name);

/** A guest may be called so, in DNS. */
const isGuestName = (name: unknown): name is string =>
	typeof name === 'string' && /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i.test(name);

/** The memory that all ports of a switch have in common. */
export const switchCommon = (name: string) => ({name: `switch/${name}`, bytes: switchBytes});

/** `switch:NAME`. */
export const switchKind: EndpointKind<SwitchSource> = {
	prefix: 'switch',
	form: "switch:NAME (a port of a switch: this process's NICs that say the same name are on one; with name=NAME behind it, the machine's name on a network of consomme there)",
	parse(text, option) {
		const [, name, guest] = /^([^,]*)(?:,name=([^,]*))?$/.exec(text ?? '') ?? [];
		if (!isSwitchName(name) || (guest !== undefined && !isGuestName(guest)))
			throw invalidValue(
				option,
				`switch:${text ?? ''}`,
				'switch:NAME with 1 to 32 of a-z, 0-9, ., - and _, and name=NAME of one label',
			);
		return {kind: 'switch', name, ...(guest !== undefined && {guest})};
	},
	isRight: ({name, guest}) => isSwitchName(name) && (guest === undefined || isGuestName(guest)),
	sharedBytes: () => SwitchCounters.byteLength,
	common: ({name}) => switchCommon(name),
	open: (place, nic, host) => new SwitchEndpoint(place, nic, host),
	report({name}, memory, offset) {
		const counters = SwitchCounters.on(memory, offset);
		return {
			nodes: () => ({
				name,
				port: counters.port,
				connected: counters.connected,
				lostHere: counters.lostHere,
				lostThere: counters.lostThere,
			}),
		};
	},
};
