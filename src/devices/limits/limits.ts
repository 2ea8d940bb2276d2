import {invalidValue, type KeyTable, type KeyValues, parseKeyValues, parseNumber, parseSize} from '#support/options';

/** A limit on what a device does in a second. */
export interface LimitDeclaration<N extends string = string> {
	/** Key in flags and nodes; with `_burst` behind it is how much may go at once. */
	readonly name: N;
	/** What counts, as the guest sees it: what it gets, what it gives, or both together. */
	readonly of: 'in' | 'out' | 'both';
	readonly unit: 'bytes' | 'times';
}

export type LimitTable<N extends string = string> = readonly LimitDeclaration<N>[];

/** Names of all that can be set of these limits: each and its burst. */
export type LimitKey<N extends string> = N | `${N}_burst`;

/** Limits by such names: what is not there is not limited. A burst alone limits nothing. */
export type Limits<N extends string> = Readonly<Partial<Record<LimitKey<N>, number>>>;

/** The largest value of any: more than any host does. */
export const mostLimit = 2 ** 50;

/** Time whose worth of a limit goes at once where no burst is given, in seconds. */
const usualBurst = 0.1;

/** Tokens that a bucket holds: what may go at once after a time of rest. */
export const burstOf = (limit: number, burst: number): number => Math.max(1, burst || limit * usualBurst);

/** The keys of a limit: its own and its burst's. */
export const keysOf = <N extends string>({name}: LimitDeclaration<N>): readonly LimitKey<N>[] => [
	name,
	`${name}_burst`,
];

/** The same for {@link parseKeyValues}. */
export const limitKeyTable = (table: LimitTable): KeyTable =>
	Object.fromEntries(table.flatMap(keysOf).map((key) => [key, 'value'] as const));

/** A value as a person writes it. @throws VmmError CONFIG_ */
function parseLimit(unit: LimitDeclaration['unit'], text: string, name: string): number {
	if (unit === 'times') return parseNumber(text, name, 0, mostLimit);
	const value = parseSize(text, name);
	if (value <= mostLimit) return value;
	throw invalidValue(name, text, 'at most 1024T');
}

/** Limits as a person writes them: `bps=100M,iops=0`. @throws VmmError CONFIG_ */
export const parseLimits = <N extends string>(table: LimitTable<N>, text: string, option: string): Limits<N> =>
	givenLimits(table, parseKeyValues(text, option, limitKeyTable(table)), option);

/** Those limits that are among the keys of a flag. @throws VmmError CONFIG_ */
export const givenLimits = <N extends string>(
	table: LimitTable<N>,
	given: Pick<KeyValues, 'value'> | undefined,
	option: string,
): Limits<N> =>
	Object.fromEntries(
		table.flatMap((limit) =>
			keysOf(limit).flatMap((key) => {
				const text = given?.value(key);
				return text === undefined ? [] : [[key, parseLimit(limit.unit, text, `${option} ${key}`)]];
			}),
		),
	) as Limits<N>;

/** True for what {@link Limits} of this table may hold. */
export const areLimits = <N extends string>(table: LimitTable<N>, value: unknown): value is Limits<N> =>
	typeof value === 'object' &&
	value !== null &&
	Object.entries(value).every(
		([key, limit]) =>
			(table.flatMap(keysOf) as readonly string[]).includes(key) &&
			Number.isSafeInteger(limit) &&
			limit >= 0 &&
			limit <= mostLimit,
	);
