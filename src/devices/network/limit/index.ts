export {
	limitsOption,
	NicBuckets,
	type NicLimitName,
	type NicLimits,
	nicLimitTable,
	parseNicLimits,
} from './nic-limits.ts';
export {RateLimit} from './rate-limit.ts';
