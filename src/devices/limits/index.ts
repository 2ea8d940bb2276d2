export {bucketFields} from './bucket-fields.ts';
export {limitNodes} from './limit-nodes.ts';
export {
	areLimits,
	givenLimits,
	type LimitKey,
	type Limits,
	type LimitTable,
	limitKeyTable,
	parseLimits,
} from './limits.ts';
export {monotonicClock} from './monotonic-clock.ts';
export {type BucketsView, TokenBuckets} from './token-buckets.ts';
