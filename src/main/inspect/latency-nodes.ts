import {type Children, duration, integerWriter, leaf, object} from '#support/inspect';
import {latencyKinds, type VcpuLatenciesView} from '#vcpu-worker/latency';
import type {InspectedVcpu} from './inspected-machine.ts';

const longestInterval = 2 ** 31 - 1;

/** `vm/latencies`: all vCPUs together, and how often an exit is timed; 0 times none. */
export const latencyNodes = (vcpus: readonly InspectedVcpu[]): Children => ({
	sampleEvery: leaf(() => vcpus[0]?.latencies.sampleEvery ?? 0, {
		writer: integerWriter(0, longestInterval, (every) => {
			for (const vcpu of vcpus) vcpu.sampleExits(every);
		}),
	}),
	...histogramNodes(vcpus.map(({latencies}) => latencies)),
});

/** Histograms by kind, added up: time in the guest up to an exit, and what serving each kind of exit took. */
export const histogramNodes = (latencies: readonly VcpuLatenciesView[]): Children =>
	Object.fromEntries(
		latencyKinds.map((kind) => [kind, object(() => histogram(addUp(latencies.map((view) => view[kind]))))]),
	);

const addUp = (lists: readonly Int32Array[]): number[] =>
	Array.from(lists[0] ?? [], (_, bucket) => lists.reduce((sum, list) => sum + ((list[bucket] as number) >>> 0), 0));

function histogram(buckets: readonly number[]): Children {
	const samples = buckets.reduce((sum, count) => sum + count, 0);
	if (samples === 0) return {samples};
	const bounds = buckets.flatMap((count, bucket) => (count === 0 ? [] : [[`from${2 ** bucket}ns`, count] as const]));
	return {
		samples,
		median: duration(quantile(buckets, samples * 0.5)),
		p99: duration(quantile(buckets, samples * 0.99)),
		buckets: object(() => Object.fromEntries(bounds)),
	};
}

/** The upper bound of the bucket in which this many samples are reached. */
function quantile(buckets: readonly number[], wanted: number): number {
	let seen = 0;
	const bucket = buckets.findIndex((count) => {
		seen += count;
		return seen >= wanted;
	});
	return 2 ** (bucket + 1);
}
