export {ExitSampler, now} from './exit-sampler.ts';
export {type LatencyKind, latencyBuckets, latencyKinds, VcpuLatencies, type VcpuLatenciesView} from './latencies.ts';
