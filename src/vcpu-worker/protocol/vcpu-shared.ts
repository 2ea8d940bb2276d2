import {VcpuLatencies, type VcpuLatenciesView} from '#vcpu-worker/latency';
import {VcpuProbe, type VcpuProbeView} from '#vcpu-worker/probe';
import {VcpuSample, type VcpuSampleView} from '#vcpu-worker/sampling';
import {VcpuControl, type VcpuControlPlace, type VcpuControlView} from './vcpu-control.ts';

/** All that a vCPU's thread shares with the machine's owner, beside what the back end does. */
export interface VcpuShared {
	readonly control: VcpuControlView;
	readonly probe: VcpuProbeView;
	readonly latencies: VcpuLatenciesView;
	readonly sample: VcpuSampleView;
}

const probeOffset = VcpuControl.byteLength;
const latenciesOffset = probeOffset + VcpuProbe.byteLength;

const sampleOffset = latenciesOffset + VcpuLatencies.byteLength;

/** Bytes of one vCPU's {@link VcpuShared}, which begin with its {@link VcpuControl}. */
export const vcpuSharedBytes = sampleOffset + VcpuSample.byteLength;

/** The structs at a vCPU's place. */
export const vcpuShared = ({buffer, byteOffset}: VcpuControlPlace): VcpuShared => ({
	control: VcpuControl.on(buffer, byteOffset),
	probe: VcpuProbe.on(buffer, byteOffset + probeOffset),
	latencies: VcpuLatencies.on(buffer, byteOffset + latenciesOffset),
	sample: VcpuSample.on(buffer, byteOffset + sampleOffset),
});
