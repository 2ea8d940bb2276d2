import type {EndpointKind} from '#devices/network/endpoint';
import {invalidValue} from '#support/options';
import {TapCounters, TapEndpoint} from './tap-endpoint.ts';

/** A tap interface of the host's. */
export interface TapSource {
	readonly kind: 'tap';
	/** 1 to 15 characters that a name of an interface may have. */
	readonly name: string;
}

const isName = (name: unknown): name is string =>
	typeof name === 'string' && /^[!-~]{1,15}$/.test(name) && !/[/:%,]/.test(name);

/** `tap:NAME`. */
export const tapKind: EndpointKind<TapSource> = {
	prefix: 'tap',
	form: 'tap:NAME (a tap interface of the host, which is made where there is none and this process may)',
	parse(text, option) {
		if (!isName(text))
			throw invalidValue(option, `tap:${text ?? ''}`, 'tap:NAME with the name of an interface, of 1 to 15 characters');
		return {kind: 'tap', name: text};
	},
	isRight: ({name}) => isName(name),
	sharedBytes: () => TapCounters.byteLength,
	open: ({name}, nic, host) => new TapEndpoint(name, nic, host),
	report({name}, memory, offset) {
		const counters = TapCounters.on(memory, offset);
		return {nodes: () => ({name, queues: counters.queues, lost: counters.lost, errno: counters.errno})};
	},
};
