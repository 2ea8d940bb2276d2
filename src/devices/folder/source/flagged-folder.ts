import {cachePolicies} from '#devices/folder';
import {invalidValue, type RawOptions} from '#support/options';
import {ownerOption} from './folder-options.ts';

/** Words behind a path, by the options that they set. */
const switches: Readonly<Record<string, string>> = {
	ro: 'readOnly',
	xattrs: 'xattrs',
	locks: 'locks',
	submounts: 'submounts',
};

/** A folder as a flag has it. */
export interface FlaggedFolder {
	readonly port: string | undefined;
	readonly options: RawOptions;
}

/**
 * Parses `[pcie_port=PORT:]TAG,PATH[,OPTION…]`. A path may have commas: what is an option ends it, from behind.
 * @param known - options that there are
 * @throws VmmError CONFIG_VALUE_INVALID
 */
export function parseFlaggedFolder(text: string, option: string, known: readonly string[]): FlaggedFolder {
	const [, port, tag, rest] = /^(?:pcie_port=([^:]+):)?([^,]+),(.+)$/s.exec(text) ?? [];
	if (tag === undefined || rest === undefined) throw invalidValue(option, text, 'TAG,PATH');
	const options: Record<string, unknown> = {};
	const words = rest.split(',');
	while (words.length > 1 && read(words.at(-1) as string, option, known, options)) words.pop();
	return {port, options: {tag, folder: words.join(','), ...options}};
}

/** Reads one option; false for what is none. */
function read(word: string, option: string, known: readonly string[], options: Record<string, unknown>): boolean {
	const [, key = '', value] = /^(\w+)(?:=(.*))?$/s.exec(word) ?? [];
	const name = value === undefined ? switches[key] : key === 'owner' || key === 'cache' ? key : undefined;
	if (name === undefined || !known.includes(name)) return false;
	if (name in options) throw invalidValue(option, word, `${key} once`);
	if (key === 'cache' && !cachePolicies.some((policy) => policy === value))
		throw invalidValue(`${option} cache`, value, cachePolicies.join(', '));
	options[name] = key === 'cache' ? value : key === 'owner' ? ownerOption.parse(value ?? '', `${option} owner`) : true;
	return true;
}
