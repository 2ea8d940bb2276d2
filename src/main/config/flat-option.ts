import {parseKeyValues, parseNumber} from '#support/options';
import {configError} from './errors.ts';
import type {BootConfig, FlatMode} from './vm-config.ts';

/** The highest address a flat image may be given: the identity map it starts with covers 4 GiB. */
export const maxFlatAddress = 0xffff_ffff;

const defaultAddress = 0x10_0000;

/**
 * Parses `--flat`: `FILE[,address=ADDRESS][,mode=real|long]`; 1 MiB and long mode without them.
 * @throws CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE, CONFIG_KEY_UNKNOWN, CONFIG_KEY_REPEATED
 */
export function parseFlat(text: string, option = '--flat'): BootConfig {
	const comma = text.indexOf(',');
	if (comma < 0) return {kind: 'flat', image: text, address: defaultAddress, mode: 'long'};
	const given = parseKeyValues(text.slice(comma + 1), option, {address: 'value', mode: 'value'});
	const address = given.value('address');
	return {
		kind: 'flat',
		image: text.slice(0, comma),
		address: address === undefined ? defaultAddress : parseNumber(address, `${option} address`, 0, maxFlatAddress),
		mode: parseMode(given.value('mode') ?? 'long', option),
	};
}

function parseMode(text: string, option: string): FlatMode {
	if (text === 'real' || text === 'long') return text;
	throw configError('CONFIG_VALUE_INVALID', {option, value: `mode=${text}`, expected: 'mode=real or mode=long'});
}
