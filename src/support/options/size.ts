import {optionError} from './errors.ts';

const factors: Readonly<Record<string, number>> = {'': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40};

/**
 * Parses a size in bytes: digits, then K, M, G or T in powers of 1024, then optionally B. A bare number
 * counts bytes.
 * @param option how the reader knows the value, for the error: `--memory`
 * @throws CONFIG_VALUE_INVALID for anything else, also for sizes that a double cannot hold exactly
 */
export function parseSize(text: string, option: string): number {
	const match = /^(\d+)([KMGT]?)B?$/.exec(text);
	const size = match ? Number(match[1]) * (factors[match[2] ?? ''] ?? 1) : Number.NaN;
	if (!Number.isSafeInteger(size)) {
		throw optionError('CONFIG_VALUE_INVALID', {
			option,
			value: text,
			expected: 'a size such as 1G, 512MB or 64M (suffixes K, M, G, T, optionally followed by B)',
		});
	}
	return size;
}
