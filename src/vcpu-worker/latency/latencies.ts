import {array, f64, i32, type ViewOf, wire} from '#support/wire';

/** Kinds of times: `guest` is the time inside the guest until an exit, the others what serving an exit took. */
export const latencyKinds = ['guest', 'port', 'mmio', 'msr', 'other'] as const;

export type LatencyKind = (typeof latencyKinds)[number];

/** Bucket n counts times from 2^n to 2^(n+1) nanoseconds; the last one all that are longer. */
export const latencyBuckets = 32;

const histogram = () => array(i32, latencyBuckets);

/** Times of a vCPU's exits, by samples. Written by its own thread. */
export const VcpuLatencies = wire('vcpu-latencies', {
	/** One exit of this many is timed; 0: none. Kick the vCPU after a change. */
	sampleEvery: i32,
	guest: histogram(),
	port: histogram(),
	mmio: histogram(),
	msr: histogram(),
	other: histogram(),
	/** Nanoseconds of all samples together, in and out of the guest. */
	guestNs: f64,
	servedNs: f64,
});

export type VcpuLatenciesView = ViewOf<typeof VcpuLatencies>;
