import type {CpuidTopology} from '#vcpu-worker/cpuid';
import type {ProcessorTopology, VpPlace} from './processor-topology.ts';

/** A processor's place, as its CPUID tells it. */
export function cpuidTopology(topology: ProcessorTopology, vp: VpPlace): CpuidTopology {
	return {apicId: vp.apicId, threadBits: topology.threadBits, socketShift: topology.socketShift};
}
