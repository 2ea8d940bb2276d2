import {cachePolicies} from '#devices/folder';
import {invalidValue, type RawOptions, type ValueType} from '#support/options';
import {ownerOption} from './folder-options.ts';

/** Words behind a path, by the options that they set. */
const switches: Readonly<Record<string, string>> = {
	ro: 'readOnly',
	xattrs: 'xattrs',
	locks: 'locks',
	submounts: 'submounts',
};

type Further = Readonly<Record<string, ValueType<unknown>>>;

/** A folder as a flag has it. */
export interface FlaggedFolder {
	readonly port: string | undefined;
	readonly options: RawOptions;
}

/**
 * Parses `[pcie_port=PORT:]TAG,PATH[,OPTION…]`. A path may have commas: what is an option ends it, from behind.
 * @param known - options that there are
 * @param further - options with a value that the device has besides
 * @throws VmmError CONFIG_VALUE_INVALID
 */
export function parseFlaggedFolder(
	text: string,
	option: string,
	known: readonly string[],
	further: Further = {},
): FlaggedFolder {
	const [, port, tag, rest] = /^(?:pcie_port=([^:]+):)?([^,]+),(.+)$/s.exec(text) ?? [];
	if (tag === undefined || rest === undefined) throw invalidValue(option, text, 'TAG,PATH');
	const options: Record<string, unknown> = {};
	const words = rest.split(',');
	while (words.length > 1 && read(words.at(-1) as string, option, {known, further}, options)) words.pop();
	return {port, options: {tag, folder: words.join(','), ...options}};
}

/** Reads one option; false for what is none. */
function read(
	word: string,
	option: string,
	{known, further}: {readonly known: readonly string[]; readonly further: Further},
	options: Record<string, unknown>,
): boolean {
	const [, key = '', value] = /^(\w+)(?:=(.*))?$/s.exec(word) ?? [];
	const name = value === undefined ? switches[key] : key === 'owner' || key === 'cache' ? key : undefined;
	const type = value === undefined ? undefined : further[key];
	if (type === undefined && (name === undefined || !known.includes(name))) return false;
	const set = name ?? key;
	if (set in options) throw invalidValue(option, word, `${key} once`);
	if (key === 'cache' && !cachePolicies.some((policy) => policy === value))
		throw invalidValue(`${option} cache`, value, cachePolicies.join(', '));
	const parsed = type ?? (key === 'owner' ? ownerOption : undefined);
	options[set] = parsed === undefined ? (value ?? true) : parsed.parse(value ?? '', `${option} ${key}`);
	return true;
}
