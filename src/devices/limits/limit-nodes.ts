import {type Children, integerWriter, leaf} from '#support/inspect';
import {keysOf, type Limits, mostLimit} from './limits.ts';
import type {TokenBuckets} from './token-buckets.ts';

/** Limits as nodes of inspect, by which they are changed too, on all workers at once. */
export const limitNodes = <N extends string>(buckets: TokenBuckets<N>): Children =>
	Object.fromEntries(
		buckets.table.flatMap((limit) =>
			keysOf(limit).map((key) => [
				key,
				leaf(() => buckets.limits[key] ?? 0, {
					...(limit.unit === 'bytes' && {unit: 'bytes' as const}),
					writer: integerWriter(0, mostLimit, (value) => buckets.set({[key]: value} as Limits<N>)),
				}),
			]),
		),
	);
