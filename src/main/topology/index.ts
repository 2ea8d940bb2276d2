export {cpuidTopology} from './cpuid-topology.ts';
export {topologyError} from './errors.ts';
export {readHostTopology} from './host-topology.ts';
export {
	archReserved,
	createMemoryLayout,
	defaultLowMmioLength,
	type MemoryLayout,
	type MemoryLayoutOptions,
	nodeUnit,
	widestAddressBits,
} from './memory-layout.ts';
export {nodesOfProcessors} from './numa-nodes.ts';
export {
	createProcessorTopology,
	firstX2ApicId,
	type HostTopology,
	maxProcessors,
	type ProcessorOptions,
	type ProcessorTopology,
	type SmtOption,
	type VpPlace,
	type X2ApicOption,
} from './processor-topology.ts';
