/** The host's monotonic clock, in nanoseconds: the same on each thread, as buckets need it. */
export function monotonicClock(): () => number {
	// A thread's own clock begins with it, and costs less to read.
	const startNs = Number(process.hrtime.bigint()) - performance.now() * 1e6;
	return () => startNs + performance.now() * 1e6;
}
