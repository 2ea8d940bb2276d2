export type {CpuidEntry} from './cpuid-entry.ts';
export type {CpuidTopology} from './cpuid-topology.ts';
