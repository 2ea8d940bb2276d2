import {type Children, integerWriter, leaf} from '#support/inspect';
import {type LimitKey, type Limits, mostLimit} from './limits.ts';
import type {TokenBuckets} from './token-buckets.ts';

/** Limits as nodes of inspect, by which they are changed too, on all workers at once. */
export const limitNodes = <N extends string>(buckets: TokenBuckets<N>): Children =>
	Object.fromEntries(
		buckets.keys.map((key: LimitKey<N>) => [
			key,
			leaf(() => buckets.limits[key] ?? 0, {
				...(buckets.isBytes(key) && {unit: 'bytes' as const}),
				writer: integerWriter(0, mostLimit, (value) => buckets.set({[key]: value} as Limits<N>)),
			}),
		]),
	);
