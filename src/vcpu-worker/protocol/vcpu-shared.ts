import {VcpuLatencies, type VcpuLatenciesView} from '#vcpu-worker/latency';
import {VcpuProbe, type VcpuProbeView} from '#vcpu-worker/probe';
import {VcpuControl, type VcpuControlPlace, type VcpuControlView} from './vcpu-control.ts';

/** All that a vCPU's thread shares with the machine's owner, beside what the back end does. */
export interface VcpuShared {
	readonly control: VcpuControlView;
	readonly probe: VcpuProbeView;
	readonly latencies: VcpuLatenciesView;
}

const probeOffset = VcpuControl.byteLength;
const latenciesOffset = probeOffset + VcpuProbe.byteLength;

/** Bytes of one vCPU's {@link VcpuShared}, which begin with its {@link VcpuControl}. */
export const vcpuSharedBytes = latenciesOffset + VcpuLatencies.byteLength;

/** The structs at a vCPU's place. */
export const vcpuShared = ({buffer, byteOffset}: VcpuControlPlace): VcpuShared => ({
	control: VcpuControl.on(buffer, byteOffset),
	probe: VcpuProbe.on(buffer, byteOffset + probeOffset),
	latencies: VcpuLatencies.on(buffer, byteOffset + latenciesOffset),
});
