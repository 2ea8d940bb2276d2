import type {EndpointKind} from '#devices/network/endpoint';
import {invalidValue} from '#support/options';
import {SwitchCounters, SwitchEndpoint} from './switch-endpoint.ts';
import {switchBytes} from './switch-memory.ts';

/** A port of a switch that connects the NICs of this process's machines. */
export interface SwitchSource {
	readonly kind: 'switch';
	/** 1 to 32 letters, digits, dots, dashes and underscores: those who say the same are on one. */
	readonly name: string;
}

const isName = (name: unknown): name is string => typeof name === 'string' && /^[\w.-]{1,32}$/.test(name);

/** `switch:NAME`. */
export const switchKind: EndpointKind<SwitchSource> = {
	prefix: 'switch',
	form: "switch:NAME (a port of a switch: this process's NICs that say the same name are on one)",
	parse(text, option) {
		if (!isName(text))
			throw invalidValue(option, `switch:${text ?? ''}`, 'switch:NAME with 1 to 32 of a-z, 0-9, ., - and _');
		return {kind: 'switch', name: text};
	},
	isRight: ({name}) => isName(name),
	sharedBytes: () => SwitchCounters.byteLength,
	common: ({name}) => ({name: `switch/${name}`, bytes: switchBytes}),
	open: ({name}, nic, host) => new SwitchEndpoint(name, nic, host),
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
