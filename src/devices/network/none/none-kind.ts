import {allOffloads, type Endpoint, type EndpointKind} from '#devices/network/endpoint';
import {invalidValue} from '#support/options';

/** Nothing is at the other end. */
export interface NoneSource {
	readonly kind: 'none';
}

/** Takes whatever a guest sends, and has nothing for it. */
const nowhere: Endpoint = {
	takes: allOffloads,
	start() {},
	send: () => true,
	room() {},
	stop() {},
	dispose() {},
};

/** `none`. */
export const noneKind: EndpointKind<NoneSource> = {
	prefix: 'none',
	form: 'none (what the guest sends is lost)',
	parse(text, option) {
		if (text !== undefined) throw invalidValue(option, `none:${text}`, 'none alone');
		return {kind: 'none'};
	},
	isRight: () => true,
	sharedBytes: () => 0,
	open: () => nowhere,
};
