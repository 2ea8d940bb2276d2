export type {MemoryLayout} from './memory-layout-types.ts';
export type {ApicMode, ProcessorTopology, SmtOption, VpPlace, X2ApicOption} from './processor-topology.ts';
