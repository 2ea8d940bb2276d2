import {optionError} from './errors.ts';

/** The parsed form of `key=value,flag,…`. */
export interface KeyValues {
	/** The text after `key=`, or undefined when the key is absent or has no value. */
	value(key: string): string | undefined;
	/** True for `key`, `key=on`; false for `key=off`; undefined when absent. */
	flag(key: string): boolean | undefined;
}

/** Keys of such a text: `flag` takes on, off or nothing, `value` needs text. */
export type KeyTable = Readonly<Record<string, 'flag' | 'value'>>;

/**
 * Parses `key=value` items between commas. A value may hold `=`, never a comma.
 * @throws CONFIG_KEY_UNKNOWN, CONFIG_KEY_REPEATED, CONFIG_VALUE_INVALID
 */
export function parseKeyValues(text: string, option: string, keys: KeyTable): KeyValues {
	const found = new Map<string, string | undefined>();
	for (const item of text.split(',')) {
		const [key, value] = splitOnce(item);
		if (!Object.hasOwn(keys, key)) throw optionError('CONFIG_KEY_UNKNOWN', {option, key, allowed: Object.keys(keys)});
		if (found.has(key)) throw optionError('CONFIG_KEY_REPEATED', {option, key});
		checkValue(option, item, keys[key], key, value);
		found.set(key, value);
	}
	return {
		value: (key) => found.get(key),
		flag: (key) => (found.has(key) ? found.get(key) !== 'off' : undefined),
	};
}

function splitOnce(item: string): [string, string | undefined] {
	const at = item.indexOf('=');
	return at < 0 ? [item, undefined] : [item.slice(0, at), item.slice(at + 1)];
}

function checkValue(option: string, item: string, kind: 'flag' | 'value' | undefined, key: string, value?: string) {
	const fits = kind === 'flag' ? value === undefined || value === 'on' || value === 'off' : Boolean(value);
	if (fits) return;
	const expected = kind === 'flag' ? `${key}, ${key}=on or ${key}=off` : `${key}=VALUE`;
	throw optionError('CONFIG_VALUE_INVALID', {option, value: item, expected});
}
