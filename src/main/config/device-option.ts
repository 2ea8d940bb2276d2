import type {ModuleHandle} from '#devices/device-type';
import {configError} from './errors.ts';

/**
 * Parses `--device`: `PATH[,name=NAME][,KEY=VALUE…]`, where further keys are the device's own.
 * @throws CONFIG_VALUE_INVALID, CONFIG_KEY_REPEATED
 */
export function parseDevice(text: string, option = '--device'): ModuleHandle {
	const [path = '', ...words] = text.split(',');
	const invalid = (expected: string) => configError('CONFIG_VALUE_INVALID', {option, value: text, expected});
	if (path === '') throw invalid('the path of a device module, then options: PATH,KEY=VALUE');
	const options = new Map<string, string>();
	for (const word of words) {
		const [, key, value] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
		if (key === undefined || value === undefined) throw invalid(`KEY=VALUE in place of "${word}"`);
		if (options.has(key)) throw configError('CONFIG_KEY_REPEATED', {option, key});
		options.set(key, value);
	}
	const {name, ...own} = Object.fromEntries(options);
	return {module: path, options: own, ...(name !== undefined && {name})};
}
