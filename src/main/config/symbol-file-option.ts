import type {SymbolFile} from '#main/symbols';
import {parseKeyValues} from '#support/options';
import {configError} from './errors.ts';

/**
 * Parses `--symbols`: `FILE[,offset=ADDRESS]`.
 * @throws CONFIG_VALUE_INVALID, CONFIG_KEY_UNKNOWN, CONFIG_KEY_REPEATED
 */
export function parseSymbolFile(text: string, option: string): SymbolFile {
	const comma = text.indexOf(',');
	const path = comma < 0 ? text : text.slice(0, comma);
	const invalid = (expected: string) => configError('CONFIG_VALUE_INVALID', {option, value: text, expected});
	if (path === '') throw invalid('FILE or FILE,offset=ADDRESS');
	if (comma < 0) return {path};
	const offset = parseKeyValues(text.slice(comma + 1), option, {offset: 'value'}).value('offset');
	if (offset === undefined || !/^(0x[0-9a-f]{1,16}|[0-9]{1,19})$/i.test(offset))
		throw invalid('offset=ADDRESS, in 64 bits, for example offset=0x555555554000');
	return {path, offset: BigInt(offset)};
}
