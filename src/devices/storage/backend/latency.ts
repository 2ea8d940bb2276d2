/** Buckets to a doubling of time: a bucket's bounds are 19 % apart. */
const perOctave = 4;
/** Times below this are in the first bucket, in nanoseconds. */
const leastNs = 256;
/** Doublings that are told apart: up to 73 minutes; longer times are in the last bucket. */
const octaves = 34;

export const bucketCount = octaves * perOctave;

/** The bucket of a time. */
export function bucketOf(ns: number): number {
	if (ns < leastNs) return 0;
	const bucket = Math.floor(perOctave * Math.log2(ns / leastNs)) + 1;
	return bucket < bucketCount ? bucket : bucketCount - 1;
}

/** The time, in nanoseconds, that those of a bucket are below. */
export const boundOf = (bucket: number): number => Math.round(leastNs * 2 ** (bucket / perOctave));

/** The bound of the bucket in which such a share of all times is reached; 0 where there are none. */
export function quantile(buckets: readonly number[], share: number): number {
	const wanted = share * buckets.reduce((sum, count) => sum + count, 0);
	let seen = 0;
	const bucket = buckets.findIndex((count) => {
		seen += count;
		return count > 0 && seen >= wanted;
	});
	return bucket < 0 ? 0 : boundOf(bucket);
}
