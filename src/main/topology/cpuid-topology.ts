import type {CpuidTopology} from '#vcpu-worker/cpuid';
import type {ProcessorTopology, VpPlace} from './processor-topology.ts';

/** What CPUID has to tell one processor about its place. */
export function cpuidTopology(topology: ProcessorTopology, vp: VpPlace): CpuidTopology {
	return {apicId: vp.apicId, threadBits: topology.threadBits, socketShift: topology.socketShift};
}
