import {invalidValue, type KeyTable, type KeyValues, parseKeyValues, parseNumber, parseSize} from '#support/options';

/** Requests that a limit counts. */
export type LimitedKind = 'all' | 'reads' | 'writes';

/** A limit on what a disk does in a second. */
export interface LimitDeclaration {
	/** Key in flags and nodes, and of {@link DiskLimits}; with `_burst` behind it is how much may go at once. */
	readonly name: LimitName;
	readonly of: LimitedKind;
	readonly unit: 'bytes' | 'operations';
}

export type LimitName = 'bps' | 'bps_rd' | 'bps_wr' | 'iops' | 'iops_rd' | 'iops_wr';

/**
 * Bytes and operations a second, together and of one direction, by the names that QEMU has for them. To flush, discard or write zeroes is an
 * operation of writing; only reads and writes have bytes.
 */
export const limitTable: readonly LimitDeclaration[] = [
	{name: 'bps', of: 'all', unit: 'bytes'},
	{name: 'bps_rd', of: 'reads', unit: 'bytes'},
	{name: 'bps_wr', of: 'writes', unit: 'bytes'},
	{name: 'iops', of: 'all', unit: 'operations'},
	{name: 'iops_rd', of: 'reads', unit: 'operations'},
	{name: 'iops_wr', of: 'writes', unit: 'operations'},
];

/** Names of all that can be set: each limit and its burst. */
export const limitKeys = limitTable.flatMap(({name}) => [name, `${name}_burst`] as const);
export const limitKeyTable: KeyTable = Object.fromEntries(limitKeys.map((key) => [key, 'value'] as const));
export type LimitKey = LimitName | `${LimitName}_burst`;

/** Limits of one disk: what is not there is not limited. A burst alone limits nothing. */
export type DiskLimits = Readonly<Partial<Record<LimitKey, number>>>;

/** The largest value of any: more than any host does. */
export const mostLimit = 2 ** 50;

/** Time whose worth of a limit goes at once where no burst is given, in seconds. */
const usualBurst = 0.1;

/** Tokens that a bucket holds: what may go at once after a time of rest. */
export const burstOf = (limit: number, burst: number): number => Math.max(1, burst || limit * usualBurst);

/** A value as a person writes it. @throws VmmError CONFIG_ */
function parseLimit(key: LimitKey, text: string, option: string): number {
	const name = `${option} ${key}`;
	if (key.startsWith('iops')) return parseNumber(text, name, 0, mostLimit);
	const value = parseSize(text, name);
	if (value <= mostLimit) return value;
	throw invalidValue(name, text, 'at most 1024T');
}

/** Limits as a person writes them: `bps=100M,iops=0`. @throws VmmError CONFIG_ */
export function parseLimits(text: string, option: string): DiskLimits {
	const given = parseKeyValues(text, option, limitKeyTable);
	return givenLimits(given, option);
}

/** Those limits that are among the keys of a flag. @throws VmmError CONFIG_ */
export const givenLimits = (given: Pick<KeyValues, 'value'> | undefined, option: string): DiskLimits =>
	Object.fromEntries(
		limitKeys.flatMap((key) => {
			const text = given?.value(key);
			return text === undefined ? [] : [[key, parseLimit(key, text, option)]];
		}),
	);

/** True for what {@link DiskLimits} may hold. */
export const areLimits = (value: unknown): value is DiskLimits =>
	typeof value === 'object' &&
	value !== null &&
	Object.entries(value).every(
		([key, limit]) =>
			(limitKeys as readonly string[]).includes(key) && Number.isSafeInteger(limit) && limit >= 0 && limit <= mostLimit,
	);
